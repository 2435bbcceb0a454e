"""
Which language is it?
=====================

Letters are enough to tell languages: a model of letters for each language, and Bayes' rule. A page
of text in each language teaches it.
"""

# %%
# The data
# --------
#
# The same short story in six languages, in pieces of three words.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict

from skgen import GenerativeClassifier, NGramLM

STORIES = {
    "English": """
An old fisherman lived with his wife in a little house by the sea.
Every morning before the sun rose he went out with his boat and threw his nets into the water.
In the evening he brought home a few fish, and his wife cooked soup for both of them.
One day the wind blew so strongly that no one dared to leave the harbour.
The other men sat in the tavern, drank beer and told each other stories about great storms.
Only the old man stood on the shore and looked at the waves, which grew higher every hour.
Then he heard a voice between the rocks, as if a child were crying.
He climbed down carefully and found a young seal that had lost its mother.
Its eyes were large and black, and it was so weak that it could not swim any more.
The fisherman wrapped the animal in his coat and carried it home through the rain.
His wife said nothing, but she gave it milk and made a bed of straw beside the stove.
For three weeks they fed it every day with the best fish they had caught.
When spring came, they took it back to the water and watched it swim away quickly.
Many years later, on a dark night, the boat of the old man struck a rock and sank.
He thought that his life was over, but something warm and soft lifted him out of the water.
In the morning the people of the village found him asleep on the beach.""",
    "German": """
Ein alter Fischer wohnte mit seiner Frau in einem kleinen Haus am Meer.
Jeden Morgen vor Sonnenaufgang fuhr er mit seinem Boot hinaus und warf seine Netze ins Wasser.
Am Abend brachte er ein paar Fische nach Hause, und seine Frau kochte für beide eine Suppe.
Eines Tages wehte der Wind so stark, dass niemand den Hafen zu verlassen wagte.
Die anderen Männer saßen im Wirtshaus, tranken Bier und erzählten sich Geschichten von Stürmen.
Nur der Alte stand am Ufer und sah auf die Wellen, die mit jeder Stunde höher wurden.
Da hörte er zwischen den Felsen eine Stimme, als ob ein Kind weinte.
Er stieg vorsichtig hinunter und fand eine junge Robbe, die ihre Mutter verloren hatte.
Ihre Augen waren groß und schwarz, und sie war so schwach, dass sie nicht mehr schwimmen konnte.
Der Fischer wickelte das Tier in seinen Mantel und trug es durch den Regen nach Hause.
Seine Frau sagte nichts, aber sie gab ihm Milch und machte neben dem Ofen ein Bett aus Stroh.
Drei Wochen lang fütterten sie es jeden Tag mit den besten Fischen, die sie gefangen hatten.
Als der Frühling kam, brachten sie es zum Wasser zurück und sahen, wie schnell es davonschwamm.
Viele Jahre später stieß das Boot des Alten in einer dunklen Nacht gegen einen Felsen und sank.
Er glaubte, sein Leben sei zu Ende, aber etwas Warmes und Weiches hob ihn aus dem Wasser.
Am Morgen fanden ihn die Leute aus dem Dorf schlafend am Strand.""",
    "Dutch": """
Een oude visser woonde met zijn vrouw in een klein huis aan de zee.
Elke ochtend voor zonsopgang voer hij met zijn boot uit en gooide zijn netten in het water.
In de avond bracht hij een paar vissen naar huis en zijn vrouw kookte soep voor hen beiden.
Op een dag waaide de wind zo hard dat niemand de haven durfde te verlaten.
De andere mannen zaten in de herberg, dronken bier en vertelden elkaar verhalen over grote stormen.
Alleen de oude man stond aan de oever en keek naar de golven, die elk uur hoger werden.
Toen hoorde hij tussen de rotsen een stem, alsof er een kind huilde.
Hij klom voorzichtig naar beneden en vond een jonge zeehond die zijn moeder had verloren.
Zijn ogen waren groot en zwart, en hij was zo zwak dat hij niet meer kon zwemmen.
De visser wikkelde het dier in zijn jas en droeg het door de regen naar huis.
Zijn vrouw zei niets, maar zij gaf het melk en maakte naast de kachel een bed van stro.
Drie weken lang voerden zij het elke dag met de beste vissen die zij gevangen hadden.
Toen het voorjaar kwam, brachten zij het terug naar het water en zagen hoe snel het wegzwom.
Vele jaren later stootte de boot van de oude man in een donkere nacht op een rots en zonk.
Hij dacht dat zijn leven voorbij was, maar iets warms en zachts tilde hem uit het water.
In de ochtend vonden de mensen uit het dorp hem slapend op het strand.""",
    "French": """
Un vieux pêcheur vivait avec sa femme dans une petite maison au bord de la mer.
Chaque matin avant le lever du soleil, il partait avec son bateau et jetait ses filets dans l'eau.
Le soir, il rapportait quelques poissons à la maison, et sa femme préparait une soupe pour eux deux.
Un jour, le vent soufflait si fort que personne n'osait quitter le port.
Les autres hommes étaient à l'auberge, buvaient de la bière et se racontaient des histoires.
Seul le vieil homme restait sur le rivage et regardait les vagues, qui montaient d'heure en heure.
Alors il entendit une voix entre les rochers, comme si un enfant pleurait.
Il descendit avec prudence et trouva un jeune phoque qui avait perdu sa mère.
Ses yeux étaient grands et noirs, et il était si faible qu'il ne pouvait plus nager.
Le pêcheur enveloppa l'animal dans son manteau et le porta chez lui sous la pluie.
Sa femme ne dit rien, mais elle lui donna du lait et fit un lit de paille à côté du poêle.
Pendant trois semaines, ils le nourrirent chaque jour des meilleurs poissons qu'ils avaient pris.
Quand le printemps arriva, ils le ramenèrent à l'eau et le virent s'éloigner rapidement.
Bien des années plus tard, par une nuit sombre, le bateau du vieil homme heurta un rocher et coula.
Il croyait que sa vie était finie, mais quelque chose de chaud et de doux le souleva hors de l'eau.
Au matin, les gens du village le trouvèrent endormi sur la plage.""",
    "Spanish": """
Un viejo pescador vivía con su mujer en una casa pequeña junto al mar.
Cada mañana, antes de salir el sol, partía con su barca y echaba sus redes al agua.
Por la tarde llevaba a casa algunos peces, y su mujer cocinaba una sopa para los dos.
Un día el viento soplaba tan fuerte que nadie se atrevía a dejar el puerto.
Los otros hombres estaban en la taberna, bebían cerveza y se contaban historias de tormentas.
Solo el viejo estaba en la orilla y miraba las olas, que crecían cada hora.
Entonces oyó una voz entre las rocas, como si un niño llorase.
Bajó con cuidado y encontró una foca joven que había perdido a su madre.
Sus ojos eran grandes y negros, y estaba tan débil que ya no podía nadar.
El pescador envolvió al animal en su abrigo y lo llevó a casa bajo la lluvia.
Su mujer no dijo nada, pero le dio leche e hizo una cama de paja al lado de la estufa.
Durante tres semanas le dieron de comer cada día los mejores peces que habían pescado.
Cuando llegó la primavera, la devolvieron al agua y vieron con qué rapidez se alejaba.
Muchos años después, en una noche oscura, la barca del viejo chocó con una roca y se hundió.
Creía que su vida había terminado, pero algo caliente y blando lo levantó del agua.
Por la mañana la gente del pueblo lo encontró dormido en la playa.""",
    "Italian": """
Un vecchio pescatore viveva con sua moglie in una piccola casa vicino al mare.
Ogni mattina, prima che sorgesse il sole, usciva con la sua barca e gettava le reti nell'acqua.
La sera portava a casa qualche pesce, e sua moglie cucinava una zuppa per tutti e due.
Un giorno il vento soffiava così forte che nessuno osava lasciare il porto.
Gli altri uomini sedevano all'osteria, bevevano birra e si raccontavano storie di grandi tempeste.
Solo il vecchio stava sulla riva e guardava le onde, che diventavano più alte di ora in ora.
Allora sentì una voce tra gli scogli, come se piangesse un bambino.
Scese con prudenza e trovò una giovane foca che aveva perso la madre.
I suoi occhi erano grandi e neri, ed era così debole che non riusciva più a nuotare.
Il pescatore avvolse l'animale nel suo mantello e lo portò a casa sotto la pioggia.
Sua moglie non disse niente, ma gli diede del latte e fece un letto di paglia accanto alla stufa.
Per tre settimane gli diedero da mangiare ogni giorno i pesci migliori che avevano preso.
Quando arrivò la primavera, lo riportarono in acqua e lo videro allontanarsi velocemente.
Molti anni dopo, in una notte buia, la barca del vecchio urtò uno scoglio e affondò.
Credeva che la sua vita fosse finita, ma qualcosa di caldo e di morbido lo sollevò dall'acqua.
La mattina la gente del villaggio lo trovò addormentato sulla spiaggia.""",
}


def pieces(story, n_words=3):
    """Cut sentences into some words at a time."""
    for sentence in story.strip().splitlines():
        words = sentence.split()
        yield from (" ".join(words[i : i + n_words]) for i in range(0, len(words), n_words))


pairs = [(piece, name) for name, story in STORIES.items() for piece in pieces(story)]
X, y = [piece for piece, _ in pairs], np.array([name for _, name in pairs])
print(f"{len(X)} pieces, such as {X[:2]}")

# %%
# A model of letters for each language
# ------------------------------------
#
# All models have the same vocabulary, so that a letter which a language does not use costs the same
# in each. Witten-Bell smoothing suits so little text. The order is chosen by cross-validation; with
# order 1 only the frequencies of letters are known.

letters = sorted(set("".join(X)))
model = NGramLM(analyzer="char", smoothing="witten-bell", vocabulary=letters)
search = GridSearchCV(
    GenerativeClassifier(model),
    {"density__order": [1, 2, 3, 4, 5]},
    cv=StratifiedKFold(8, shuffle=True, random_state=0),
).fit(X, y)
for order, accuracy in enumerate(search.cv_results_["mean_test_score"], start=1):
    print(f"order {order}: {accuracy:.0%} of the pieces")

# %%
# What is taken for what
# ----------------------
#
# Each piece is classified by models that have not seen its fold.

predicted = cross_val_predict(search.best_estimator_, X, y, cv=search.cv)
figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y, predicted, labels=list(STORIES), ax=ax, colorbar=False, xticks_rotation=45
)
ax.set_title(f"{np.mean(y == predicted):.0%} right from three words")
plt.show()
for piece, name, taken in list(zip(X, y, predicted, strict=True))[::3]:
    if name != taken:
        print(f"{name}, taken for {taken}: {piece}")

# %%
# What tells them apart
# ---------------------
#
# The log odds of Dutch against German, letter by letter: ``token_log_proba`` of both models.

best = search.best_estimator_
densities = dict(zip(best.classes_, best.densities_, strict=True))
text = "het Wasser ist zout"
dutch, german = (densities[name].token_log_proba([text])[0][:-1] for name in ("Dutch", "German"))

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.bar(range(len(text)), dutch - german, color=np.where(dutch > german, "C1", "C0"))
ax.axhline(0, color="black", linewidth=0.8)
ax.set_xticks(range(len(text)), list(text))
ax.set_ylabel("nats for Dutch")
plt.show()

"""
Text in the manner of the King James Bible
==========================================

n-gram models know which tokens follow which. Of the King James Bible, with every tenth verse held
out, they learn enough in a tenth of a second to write verses that no one has read before.
"""

# %%
# How long should the n-grams be?
# -------------------------------
#
# Perplexity is how many equally likely tokens the next one might as well be chosen among. Longer
# n-grams tell more, but fewer of them come again; Kneser-Ney smoothing goes back to shorter ones
# where longer ones were not seen, and so loses nothing by them. Adding one to every count does not.

import matplotlib.pyplot as plt

from skgen import NGramLM
from skgen.datasets import load_kjv

bible = load_kjv()
print(bible.train[4])
orders = range(1, 7)
smoothings = ("modified-kneser-ney", "absolute", "witten-bell")
perplexity = {
    smoothing: [
        NGramLM(order, smoothing=smoothing).fit(bible.train).perplexity(bible.test)
        for order in orders
    ]
    for smoothing in smoothings
}

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for smoothing, values in perplexity.items():
    ax.plot(orders, values, "o-", label=smoothing)
ax.set(xlabel="order", ylabel="perplexity of held-out verses", yscale="log")
ax.set_yticks([40, 60, 100, 200, 300], ["40", "60", "100", "200", "300"])
ax.minorticks_off()
ax.legend()

# %%
# Verses
# ------
#
# Each order in its own words, at a temperature below one, which takes what is likely more often.
# With short n-grams the verses are grammatical for a few words; with long ones whole phrases are
# quoted.

for order in (1, 2, 3, 5):
    model = NGramLM(order).fit(bible.train)
    print(f"{order}:", model.sample(1, random_state=12, temperature=0.8, max_length=40)[0])

# %%
# ``top_k`` and ``top_p`` leave out what is unlikely. The beginning can be given.

for settings in ({}, {"temperature": 0.6}, {"top_p": 0.8}, {"top_k": 3}):
    print(settings or "as it is:")
    print("  ", model.sample(1, 1, context="blessed are", max_length=40, **settings)[0])

# %%
# What comes next?
# ----------------
#
# The whole distribution of the next word, of which the ten most probable ones are shown.

context = "and the spirit of"
proba = model.predict_proba([context])[0]
best = proba.argsort()[:-11:-1]

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.barh(model.vocabulary_[best].tolist(), proba[best])
ax.invert_yaxis()
ax.set(xlabel=f'probability after "{context}"')
plt.show()

# %%
# Surprise
# --------
#
# ``token_log_proba`` tells which tokens the model did not expect.

verse = "the lord is my programmer ; i shall not crash ."
for token, log_proba in zip(
    [*verse.split(), "</s>"], model.token_log_proba([verse])[0], strict=True
):
    print(f"{token:12}{'#' * round(-2 * log_proba)} {-log_proba:.1f}")

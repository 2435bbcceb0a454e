"""A model chosen by cross-validation, on a table with gaps."""

import numpy as np
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgen import GaussianMixture

from ._output import fitted, say, table, title

SEED = 0


def show_choice(penguins):
    """GridSearchCV over a Pipeline, on a table with gaps."""
    title(
        "Choosing the model",
        f"{len(penguins.data)} penguins, four measurements, two birds without any. A Pipeline in "
        "GridSearchCV, 5 folds, gaps left as they are. Log-likelihood of a held-out bird, in nats:",
    )
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(random_state=SEED))
    grid = {
        "gaussianmixture__covariance_type": ["full", "tied", "diag", "spherical"],
        "gaussianmixture__n_components": range(1, 7),
    }
    folds = KFold(5, shuffle=True, random_state=SEED)
    search, _ = fitted(GridSearchCV(pipeline, grid, cv=folds), penguins.data)
    kinds, numbers = grid.values()
    scores = search.cv_results_["mean_test_score"].reshape(len(kinds), -1)
    table(
        ["covariances", *(f"K={k}" for k in numbers)],
        [[kind, *(f"{s:.2f}" for s in row)] for kind, row in zip(kinds, scores, strict=True)],
    )
    kind, number = (search.best_params_[name] for name in grid)
    say(
        f"Best: {number} components with {kind} covariances. Its groups beside the species, which "
        "it was not told:"
    )
    labels = search.predict(penguins.data)
    table(
        ["species", *(f"group {k}" for k in range(number))],
        [
            [name, *np.bincount(labels[penguins.target == s], minlength=number).astype(str)]
            for s, name in enumerate(penguins.target_names)
        ],
    )

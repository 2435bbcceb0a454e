"""The customers of a music shop: segments, the collapse of a naive mixture, odd customers."""

import numpy as np
from scipy.stats import norm
from sklearn.mixture import GaussianMixture as NaiveMixture

from skgen import DensityOutlierDetector, GaussianMixture

from ._output import fitted, say, share, table, title

SEED = 0
COLORS = ("#e69f00", "#56b4e9", "#009e73")


def show_segments(customers):
    """Fit three segments and say who they are; gives the model."""
    title(
        "Who are the customers?",
        f"{len(customers):,} customers of an online music shop: dollars spent and CDs bought in 18 "
        "months. A mixture of three Gaussians on log scales finds these segments:",
    )
    model, told = fitted(GaussianMixture(n_components=3, random_state=SEED), np.log1p(customers))
    table(
        ["segment", "customers", "share", "typical $", "typical CDs", "share of all dollars"],
        [segment_row(group, customers) for group in segments(customers, model)],
    )
    poor, *_, rich = segments(customers, model)
    say(
        f"{share(len(poor), len(customers))} of the customers bought one CD and bring "
        f"{share(poor[:, 0].sum(), customers[:, 0].sum())} of the money; the "
        f"{share(len(rich), len(customers))} with {cds(rich)} bring "
        f"{share(rich[:, 0].sum(), customers[:, 0].sum())}."
    )
    for sentence in told:
        say(f"skgen warns: {sentence}")
    return model


def segments(customers, model):
    """The customers of each component, from few to many CDs."""
    labels = model.predict(np.log1p(customers))
    groups = [customers[labels == k] for k in np.unique(labels)]
    return sorted(groups, key=lambda group: np.median(group[:, 1]))


def segment_row(group, customers):
    """A segment in plain words and numbers."""
    dollars, items = np.median(group, axis=0)
    return [
        cds(group),
        f"{len(group):,}",
        share(len(group), len(customers)),
        f"{dollars:.0f}",
        f"{items:.0f}",
        share(group[:, 0].sum(), customers[:, 0].sum()),
    ]


def cds(group):
    """How many CDs most of a group bought, in words."""
    low, high = np.quantile(group[:, 1], [0.1, 0.9]).astype(int)
    if low == high:
        return "one CD" if high == 1 else f"{high} CDs"
    return f"{low} to {high} CDs"


def show_collapse(customers, model):
    """Set scikit-learn's mixture beside ours; gives the one with its default settings."""
    single = np.mean(customers[:, 1] == 1)
    title(
        "Why the usual mixture fails here",
        f"{single:.1%} of the customers bought one CD. A Gaussian for a group in which a column is "
        "constant shrinks to a spike, and the likelihood grows without bound. In scikit-learn the "
        "constant reg_covar stops it; that constant then decides BIC, and all that BIC decides:",
    )
    X = np.log1p(customers)
    rows = []
    for reg_covar in (1e-4, 1e-6, 1e-8):
        naive = NaiveMixture(3, reg_covar=reg_covar, random_state=SEED).fit(X)
        rows.append(["scikit-learn", f"reg_covar={reg_covar:g}", *collapse_row(naive, X)])
    rows.append(["skgen", "defaults", *collapse_row(model, X)])
    table(["model", "setting", "spread of CDs in the one-CD group", "BIC"], rows)
    say(
        '"Spread" is the standard deviation of log(1 + CDs). skgen keeps it above what rounding to '
        "whole CDs brings, and tells that it did. reg_covar=1e-06 is scikit-learn's default."
    )
    return NaiveMixture(3, random_state=SEED).fit(X)


def collapse_row(model, X):
    """The least spread of a component in CDs, and BIC."""
    spread = np.sqrt(min(covariance[1, 1] for covariance in model.covariances_))
    return [f"{spread:.4f}", f"{model.bic(X):,.0f}"]


def show_oddest(customers, n=6):
    """The most anomalous customers, with what the model expected of them; gives their rows."""
    X = np.log1p(customers)
    density = GaussianMixture(n_components=3, random_state=SEED)
    detector, _ = fitted(DensityOutlierDetector(density, contamination=0.01), X)
    odd = np.argsort(detector.score_samples(X))[:n]
    title(
        "The oddest customers",
        f"The same mixture, fitted without the least likely rows, flags "
        f"{sum(detector.predict(X) < 0)} customers; 1 % was asked for. The first of them, with the "
        "dollars it expects of customers with as many CDs (hidden as NaN, and filled in):",
    )
    hidden = X[odd].copy()
    hidden[:, 0] = np.nan
    expected = np.expm1(detector.density_.impute(hidden)[:, 0])
    table(
        ["customer", "CDs", "dollars", "expected", "so"],
        [
            [f"no. {i}", f"{items:.0f}", f"{dollars:,.0f}", f"{e:,.0f}", reason(dollars / e)]
            for i, (dollars, items), e in zip(odd, customers[odd], expected, strict=True)
        ],
    )
    return odd


def reason(ratio):
    """What is odd about an amount that is so many times what was expected."""
    return f"paid {ratio:.0f} times as much" if ratio > 1.5 else f"paid {1 - ratio:.0%} less"


# ---- the figure -----------------------------------------------------------------------------


def draw(axes, customers, model, naive, odd):
    """The segments in the plane; the density of the number of CDs under both models."""
    draw_segments(axes[0], customers, model, odd)
    draw_densities(axes[1], customers, {"scikit-learn, defaults": naive, "skgen": model})


def draw_segments(ax, customers, model, odd):
    """Each customer a point, coloured by segment."""
    rng = np.random.default_rng(SEED)
    for group, color in zip(segments(customers, model), COLORS, strict=False):
        spread = group[:, 1] * np.exp(rng.uniform(-0.12, 0.12, len(group)) / group[:, 1] ** 0.5)
        ax.scatter(spread, group[:, 0], s=3, color=color, alpha=0.25, lw=0, rasterized=True)
        ax.scatter([], [], s=30, color=color, label=f"{cds(group)}: {len(group):,} customers")
    style = {"s": 60, "facecolor": "none", "edgecolor": "black", "lw": 1.2}
    ax.scatter(customers[odd, 1], customers[odd, 0], label="the oddest", **style)
    ax.set(xscale="log", yscale="log", ylim=(1, None), xlabel="CDs bought", ylabel="dollars spent")
    ax.set_title("Three segments of customers")
    ax.legend(loc="lower right", frameon=False)


def draw_densities(ax, customers, models):
    """Histogram of log(1 + CDs) and the densities of the models, on a log axis."""
    values = np.log1p(customers[:, 1])
    x = np.sort(np.r_[np.linspace(0.5, 6, 2000), np.log(2) + np.linspace(-0.01, 0.01, 401)])
    ax.hist(values, bins=80, density=True, color="0.85", label="customers")
    for (name, model), color in zip(models.items(), ("#d55e00", "black"), strict=True):
        ax.plot(x, column_density(model, x, column=1), color=color, lw=1.3, label=name)
    ax.set(yscale="log", ylim=(1e-4, 500), xlabel="log(1 + CDs bought)", ylabel="density")
    ax.set_title("The naive mixture has a spike at one CD")
    ax.legend(loc="upper right", frameon=False)


def column_density(model, x, column):
    """Density of one column under a mixture of Gaussians."""
    parts = zip(model.weights_, model.means_, model.covariances_, strict=True)
    return sum(w * norm.pdf(x, m[column], c[column, column] ** 0.5) for w, m, c in parts)

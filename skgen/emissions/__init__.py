"""Families of distributions that mixtures and other models with latent components emit."""

from ._base import Emission
from .bernoulli import Bernoulli
from .categorical import Categorical
from .exponential import Exponential
from .gamma import Gamma
from .gaussian import Gaussian
from .mixture import Mixture
from .multinomial import Multinomial
from .negative_binomial import NegativeBinomial
from .poisson import Poisson
from .product import Product
from .student import StudentT

__all__ = [
    "Bernoulli",
    "Categorical",
    "Emission",
    "Exponential",
    "Gamma",
    "Gaussian",
    "Mixture",
    "Multinomial",
    "NegativeBinomial",
    "Poisson",
    "Product",
    "StudentT",
]

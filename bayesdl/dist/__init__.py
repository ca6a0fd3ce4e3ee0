"""Probability distributions, one file per family: SciPy's meaning, the field's shape words."""

from ._base import DISTRIBUTIONS as DISTRIBUTIONS
from ._base import Distribution as Distribution
from .kl import kl_divergence as kl_divergence

# isort: split
# --- exports: written by `make exports`, do not edit ---
from typing import TYPE_CHECKING

from bayesdl._base.lazy import lazily

if TYPE_CHECKING:
    from .asymmetric_laplace import AsymmetricLaplace as AsymmetricLaplace
    from .bernoulli import Bernoulli as Bernoulli
    from .beta import Beta as Beta
    from .binomial import BetaBinomial as BetaBinomial
    from .binomial import Binomial as Binomial
    from .categorical import Categorical as Categorical
    from .cauchy import Cauchy as Cauchy
    from .cauchy import HalfCauchy as HalfCauchy
    from .dirichlet import Dirichlet as Dirichlet
    from .exponential import Exponential as Exponential
    from .gamma import Gamma as Gamma
    from .gamma import InverseGamma as InverseGamma
    from .geometric import Geometric as Geometric
    from .improper import Flat as Flat
    from .improper import ImproperUniform as ImproperUniform
    from .independent import Independent as Independent
    from .laplace import Laplace as Laplace
    from .lkj import LKJCholesky as LKJCholesky
    from .logistic import Logistic as Logistic
    from .mixture import Mixture as Mixture
    from .multinomial import Multinomial as Multinomial
    from .multivariate_normal import MultivariateNormal as MultivariateNormal
    from .negative_binomial import NegativeBinomial as NegativeBinomial
    from .normal import HalfNormal as HalfNormal
    from .normal import LogNormal as LogNormal
    from .normal import Normal as Normal
    from .poisson import Poisson as Poisson
    from .student_t import HalfStudentT as HalfStudentT
    from .student_t import StudentT as StudentT
    from .transformed import TransformedDistribution as TransformedDistribution
    from .uniform import Uniform as Uniform
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "AsymmetricLaplace": "asymmetric_laplace",
            "Bernoulli": "bernoulli",
            "Beta": "beta",
            "BetaBinomial": "binomial",
            "Binomial": "binomial",
            "Categorical": "categorical",
            "Cauchy": "cauchy",
            "HalfCauchy": "cauchy",
            "Dirichlet": "dirichlet",
            "Exponential": "exponential",
            "Gamma": "gamma",
            "InverseGamma": "gamma",
            "Geometric": "geometric",
            "Flat": "improper",
            "ImproperUniform": "improper",
            "Independent": "independent",
            "Laplace": "laplace",
            "LKJCholesky": "lkj",
            "Logistic": "logistic",
            "Mixture": "mixture",
            "Multinomial": "multinomial",
            "MultivariateNormal": "multivariate_normal",
            "NegativeBinomial": "negative_binomial",
            "HalfNormal": "normal",
            "LogNormal": "normal",
            "Normal": "normal",
            "Poisson": "poisson",
            "HalfStudentT": "student_t",
            "StudentT": "student_t",
            "TransformedDistribution": "transformed",
            "Uniform": "uniform",
        },
    )

__all__ = [
    "DISTRIBUTIONS",
    "AsymmetricLaplace",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Flat",
    "Gamma",
    "Geometric",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "ImproperUniform",
    "Independent",
    "InverseGamma",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "Logistic",
    "Mixture",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "Poisson",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
    "kl_divergence",
]
# --- end of exports ---

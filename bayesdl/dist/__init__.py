"""Probability distributions, one file per family, with SciPy's meaning and the field's shape words."""

from ._base import DISTRIBUTIONS as DISTRIBUTIONS
from ._base import Distribution as Distribution
from .kl import kl_divergence as kl_divergence

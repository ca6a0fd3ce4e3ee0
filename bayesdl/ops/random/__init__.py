"""Counter-based random numbers: explicit keys, the same bits on every backend and thread."""

from __future__ import annotations

from .bits import bits, fold_in, key, split
from .continuous import (
    beta,
    dirichlet,
    exponential,
    gamma,
    gumbel,
    log_gamma,
    normal,
    uniform,
    uniform_and_key,
)
from .discrete import (
    bernoulli,
    binomial,
    categorical,
    choice,
    permutation,
    poisson,
    randint,
    shuffle,
)

__all__ = [
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "choice",
    "dirichlet",
    "exponential",
    "fold_in",
    "gamma",
    "gumbel",
    "key",
    "log_gamma",
    "normal",
    "permutation",
    "poisson",
    "randint",
    "shuffle",
    "split",
    "uniform",
    "uniform_and_key",
]

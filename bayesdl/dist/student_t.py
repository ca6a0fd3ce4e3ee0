"""Student's t distribution and its positive half."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Distribution, Shape, distribution, parameter
from ._special import LOG_2, LOG_PI, betainc, betaln, digamma, lgamma


@distribution
class StudentT(Distribution):
    """Student's t distribution, shifted and scaled.

        log p(x) = log Γ((ν+1)/2) − log Γ(ν/2) − ½ log(πν) − log scale − (ν+1)/2 log(1 + z²/ν),
        z = (x − loc) / scale, ν = df

    Parameters
    ----------
    df : float or Array
        Degrees of freedom, > 0; 1 is Cauchy's distribution, ∞ the normal one.
    loc : float or Array, default 0
        Centre.
    scale : float or Array, default 1
        > 0; the standard deviation is scale √(df / (df − 2)) for df > 2.

    Notes
    -----
    *Support*: (−∞, ∞). *Same as* ``scipy.stats.t(df, loc, scale)``.
    """

    df: Any = parameter(constraints.positive)
    loc: Any = parameter(constraints.real, default=0.0)
    scale: Any = parameter(constraints.positive, default=1.0)

    support = constraints.real
    reference = "scipy.stats.t(df, loc, scale)"
    examples = ((3.0, 0.0, 1.0), (1.0, 2.0, 0.5), (2.0, 0.0, 1.0), (30.0, -3.0, 4.0))

    def _log_prob(self, x: Any) -> Any:
        z = (x - self.loc) * (1.0 / self.scale)
        power = 0.5 * (self.df + 1.0)
        return _log_norm(self.df, self.scale) - power * bnp.log1p(bnp.square(z) / self.df)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.loc + self.scale * _standard_draw(key, self.df, shape, self._dtype)

    def _cdf(self, x: Any) -> Any:
        z = (x - self.loc) / self.scale
        return bnp.where(bnp.greater(z, 0.0), 1.0 - _tail(z, self.df), _tail(z, self.df))

    def _entropy(self) -> Any:
        return _entropy(self.df, self.scale)

    def _mean(self) -> Any:
        return bnp.where(self.df > 1.0, self.loc, np.nan)

    def _variance(self) -> Any:
        return _second_moment(self.df, self.scale)


@distribution
class HalfStudentT(Distribution):
    """Absolute value of a Student t number of centre 0.

    Parameters
    ----------
    df : float or Array
        Degrees of freedom, > 0.
    scale : float or Array, default 1
        Scale of the t number, > 0.

    Notes
    -----
    *Support*: [0, ∞). *Same as* twice the density of ``scipy.stats.t(df, 0, scale)``.

    References
    ----------
    Gelman (2006), Prior distributions for variance parameters in hierarchical models, section 3.
    """

    df: Any = parameter(constraints.positive)
    scale: Any = parameter(constraints.positive, default=1.0)

    support = constraints.nonnegative
    reference = "folded(scipy.stats.t(df, 0, scale))"
    examples = ((3.0, 1.0), (4.0, 2.5), (30.0, 0.1))

    def _log_prob(self, x: Any) -> Any:
        power = 0.5 * (self.df + 1.0)
        shrink = bnp.log1p(bnp.square(x * (1.0 / self.scale)) / self.df)
        return _log_norm(self.df, self.scale) + LOG_2 - power * shrink

    def _draw(self, key: Any, shape: Shape) -> Any:
        return self.scale * bnp.abs(_standard_draw(key, self.df, shape, self._dtype))

    def _cdf(self, x: Any) -> Any:
        return 1.0 - 2.0 * _tail(bnp.maximum(x, 0.0) / self.scale, self.df)

    def _entropy(self) -> Any:
        return _entropy(self.df, self.scale) - LOG_2

    def _mean(self) -> Any:
        exists = self.df > 1.0
        df = bnp.where(exists, self.df, 2.0)
        log_ratio = lgamma(0.5 * (df + 1.0)) - lgamma(0.5 * df)
        mean = 2.0 * self.scale * bnp.sqrt(df / math.pi) * bnp.exp(log_ratio) / (df - 1.0)
        return bnp.where(exists, mean, np.inf)

    def _variance(self) -> Any:
        square = _second_moment(self.df, self.scale)
        finite = self.df > 2.0
        gap = bnp.where(finite, square, 0.0) - bnp.square(bnp.where(finite, self._mean(), 0.0))
        return bnp.where(finite, gap, bnp.where(self.df > 1.0, np.inf, np.nan))


def _log_norm(df: Any, scale: Any) -> Any:
    gammas = lgamma(0.5 * (df + 1.0)) - lgamma(0.5 * df)
    return gammas - 0.5 * (bnp.log(df) + LOG_PI) - bnp.log(scale)


def _standard_draw(key: Any, df: Any, shape: Shape, dtype: Any) -> Any:
    keys = random.split(key)
    half = 0.5 * df
    # The gamma number in logarithms: for small df it would underflow to 0.
    log_shrink = 0.5 * (random.log_gamma(keys[1], half, shape) - bnp.log(half))
    return random.normal(keys[0], shape, dtype) * bnp.exp(-log_shrink)


def _tail(z: Any, df: Any) -> Any:
    """P(T > |z|)."""
    return 0.5 * betainc(0.5 * df, 0.5, df / (df + bnp.square(z)))


def _entropy(df: Any, scale: Any) -> Any:
    half = 0.5 * (df + 1.0)
    gap = digamma(half) - digamma(0.5 * df)
    return half * gap + 0.5 * bnp.log(df) + betaln(0.5 * df, 0.5) + bnp.log(scale)


def _second_moment(df: Any, scale: Any) -> Any:
    finite = df > 2.0
    square = bnp.square(scale) * df / bnp.where(finite, df - 2.0, 1.0)
    return bnp.where(finite, square, bnp.where(df > 1.0, np.inf, np.nan))

"""Continuous random numbers: uniform, normal, exponential, gamma and what is made of gammas."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType

from .. import elementwise as ew
from .. import numpy as surface
from .._trace import trace_flat
from ..control import custom_call
from ..special import digamma, ndtri
from ..special.incomplete import lower_gamma_integral, upper_gamma_integral
from ..structural import Axes, reshape, slice_
from .bits import as_keys, as_shape, bits, checked_key, each_key, split
from .loop import KEY, until_accepted


def unit(words: Any, dtype: Any) -> Any:
    """Words as floats in (0, 1): the odd multiples of 2⁻⁵³ (2⁻²⁴ in float32).

    float32 takes words of 32 bits, or the upper half of longer ones.
    The top bits become the fraction of a number in [1, 2), which needs no conversion of integers.
    """
    if np.dtype(dtype) == np.float32:
        if words.dtype == np.uint64:
            words = ew.convert(ew.shift_right(words, 32), dtype=np.dtype(np.uint32))
        fraction = ew.bit_or(ew.shift_right(words, 9), 0x3F800000)
        return ew.add(ew.sub(ew.bitcast(fraction, dtype=np.dtype(np.float32)), 1.0), 2.0**-24)
    fraction = ew.bit_or(ew.shift_right(words, 12), 0x3FF0000000000000)
    return ew.add(ew.sub(ew.bitcast(fraction, dtype=np.dtype(np.float64)), 1.0), 2.0**-53)


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    chosen = np.dtype(dtype) if dtype is not None else surface.default_dtype()
    if chosen not in (np.float64, np.float32):
        raise ArgumentError(
            "random numbers of this kind are float64 or float32.",
            facts=[("given", chosen)],
            fix="dtype=np.float64",
            where=user_source(),
            code="T303",
        )
    return chosen


def uniform(
    key: Any, shape: int | Axes = (), dtype: Any = None, low: Any = 0.0, high: Any = 1.0
) -> Any:
    """Uniform numbers in the open interval (low, high).

    Parameters
    ----------
    key : Array, shape (2,)
    shape : tuple of int
    dtype : float64 or float32, optional
    low, high : float or Array
        Anything that broadcasts to `shape`.

    Returns
    -------
    Array, shape `shape`
        With the default bounds an odd multiple of 2⁻⁵³ (2⁻²⁴ in float32), so never 0 or 1, and
        symmetric about ½.
    """
    chosen = _float_dtype(dtype)
    found = unit(bits(key, shape, 8 * chosen.itemsize), chosen)
    if type(low) in (int, float) and type(high) in (int, float) and (low, high) == (0, 1):
        return found
    width = surface.astype(surface.subtract(high, low), found.dtype)
    return surface.add(surface.astype(low, found.dtype), surface.multiply(width, found))


def uniform_and_key(key: Any, n: int, dtype: Any = None) -> tuple[Any, Any]:
    """Some uniform numbers, and the key of the next ones: a stream that is read in order.

    Parameters
    ----------
    key : Array, shape (2,)
    n : int
    dtype : float64 or float32, optional

    Returns
    -------
    numbers : Array, shape (n,)
        As `uniform` gives them.
    key : Array, shape (2,), uint32

    Notes
    -----
    Odd `n` waste nothing: a block of the generator has two words, and the last one is the key.
    """
    words = bits(key, (n + 1,))
    numbers = slice_(words, start=(0,), limit=(n,), stride=(1,))
    last = slice_(words, start=(n,), limit=(n + 1,), stride=(1,))
    return unit(numbers, _float_dtype(dtype)), reshape(as_keys(last), shape=(2,))


def normal(key: Any, shape: int | Axes = (), dtype: Any = None) -> Any:
    """Standard normal numbers, by inversion of the distribution function.

    Parameters
    ----------
    key : Array, shape (2,)
    shape : tuple of int
    dtype : float64 or float32, optional

    Returns
    -------
    Array, shape `shape`
        In float64 no number lies beyond ±8.3.

    Notes
    -----
    One word a number; no pairs and no rejection, so element i depends on the key and i alone.
    """
    return ndtri(uniform(key, shape, dtype))


def exponential(key: Any, shape: int | Axes = (), dtype: Any = None) -> Any:
    """Exponential numbers of mean 1: −log u.

    Parameters
    ----------
    key : Array, shape (2,)
    shape : tuple of int
    dtype : float64 or float32, optional
    """
    return ew.neg(ew.log(uniform(key, shape, dtype)))


def gumbel(key: Any, shape: int | Axes = (), dtype: Any = None) -> Any:
    """Standard Gumbel numbers: −log(−log u).

    Parameters
    ----------
    key : Array, shape (2,)
    shape : tuple of int
    dtype : float64 or float32, optional
    """
    return ew.neg(ew.log(exponential(key, shape, dtype)))


# --- gamma ------------------------------------------------------------------------------------


def gamma(key: Any, concentration: Any, shape: int | Axes | None = None) -> Any:
    """Gamma numbers of rate 1.

    Parameters
    ----------
    key : Array, shape (2,)
    concentration : Array
        Positive; anything that broadcasts to `shape`.
    shape : tuple of int, optional
        That of `concentration` by default.

    Returns
    -------
    Array, shape `shape`
        NaN where the concentration is negative, NaN or infinite. May underflow to 0 for
        concentrations below about 0.05; `log_gamma` does not.

    Notes
    -----
    Differentiable in the concentration, in reverse mode: see `log_gamma`.
    """
    return ew.exp(log_gamma(key, concentration, shape))


def log_gamma(key: Any, concentration: Any, shape: int | Axes | None = None) -> Any:
    """Logarithms of gamma numbers of rate 1, right also where the number itself would be 0.

    Parameters
    ----------
    key : Array, shape (2,)
    concentration : Array
        Positive; anything that broadcasts to `shape`.
    shape : tuple of int, optional
        That of `concentration` by default.

    Notes
    -----
    Rejection from a cubed normal for concentrations of at least 1; below, the identity
    G(a) = G(a + 1) U^(1/a) in logarithms. The derivative by the concentration is implicit, that of
    the number with its probability P(a, z) held fixed: dz/da = −(∂P/∂a) / (∂P/∂z), to about 1e-12.
    Forward mode through the sampler is refused; forward over reverse works.

    References
    ----------
    Marsaglia & Tsang (2000), A simple method for generating gamma variables.
    Figurnov, Mohamed, Mnih (2018), Implicit reparameterization gradients (arXiv:1805.08498).
    """
    first, second = each_key(split(checked_key(key), 2), 2)
    concentration, shape = spread(concentration, shape)
    small = ew.less(concentration, 1.0)
    raised = ew.where(small, ew.add(concentration, 1.0), concentration)
    raised = ew.where(ew.less(concentration, 0.0), math.nan, raised)
    found = custom_call(first, raised, **_gamma_programs(shape, raised.dtype))
    power = ew.div(
        ew.log(uniform(second, shape, raised.dtype)), ew.where(small, concentration, 1.0)
    )
    return ew.add(found, ew.where(small, power, 0.0))


def spread(x: Any, shape: int | Axes | None) -> tuple[Any, Axes]:
    """A float parameter repeated to the wanted shape, and that shape."""
    x = surface.asarray(x)
    x = x if x.dtype.kind == "f" else surface.astype(x, surface.default_dtype())
    wanted = np.shape(x) if shape is None else as_shape(shape)
    return surface.broadcast_to(x, wanted), wanted


@cache
def _gamma_programs(shape: Axes, dtype: np.dtype[Any]) -> dict[str, Program]:
    number = ArrayType(shape, dtype)

    def program(key: Any, a: Any) -> list[Any]:
        d = ew.sub(a, 1.0 / 3.0)
        c = ew.div(1.0 / 3.0, ew.sqrt(d))
        return [
            ew.add(
                ew.log(d), until_accepted(_propose_cube, key, (d, c), shape, dtype, start=math.nan)
            )
        ]

    def forward(key: Any, a: Any) -> list[Any]:
        (found,) = program(key, a)
        return [found, found, a]

    def backward(found: Any, a: Any, cotangent: Any) -> list[Any]:
        return [ew.mul(cotangent, _log_gamma_derivative(found, a))]

    return {
        "program": trace_flat(program, (KEY, number), "log_gamma"),
        "forward": trace_flat(forward, (KEY, number), "log_gamma"),
        "backward": trace_flat(backward, (number,) * 3, "log_gamma_backward"),
    }


def _propose_cube(words: tuple[Any, Any], d: Any, c: Any) -> tuple[Any, Any]:
    """Marsaglia & Tsang's proposal: log (1 + c x)³ for a normal x, and whether it is taken."""
    x = ndtri(unit(words[0], d.dtype))
    log_u = ew.log(unit(words[1], d.dtype))
    root = ew.add(ew.mul(c, x), 1.0)
    valid = ew.greater(root, 0.0)
    log_v = ew.mul(ew.log(ew.where(valid, root, 1.0)), 3.0)
    bound = ew.sub(ew.mul(ew.square(x), 0.5), ew.mul(d, ew.sub(ew.expm1(log_v), log_v)))
    return log_v, ew.bit_and(valid, ew.less(log_u, bound))


def _log_gamma_derivative(log_z: Any, a: Any) -> Any:
    """d log z / da with P(a, z) held fixed, a ≥ 1: an integral over the nearer tail."""
    z, weight = ew.exp(log_z), ew.sub(log_z, digamma(a))
    lower = ew.less_equal(z, a)
    below = lower_gamma_integral(a, ew.where(lower, z, a), weight)
    above = upper_gamma_integral(a, ew.where(lower, ew.mul(a, 2.0), z), weight)
    return ew.where(lower, ew.neg(below), above)


def beta(
    key: Any, concentration1: Any, concentration0: Any, shape: int | Axes | None = None
) -> Any:
    """Beta numbers: G₁ / (G₁ + G₀) of two gamma numbers, in logarithms.

    Parameters
    ----------
    key : Array, shape (2,)
    concentration1, concentration0 : Array
        Positive; anything that broadcasts to `shape`.
    shape : tuple of int, optional
    """
    first, second = each_key(split(checked_key(key), 2), 2)
    if shape is None:
        shape = surface.broadcast_shape(np.shape(concentration1), np.shape(concentration0))
    one, zero = log_gamma(first, concentration1, shape), log_gamma(second, concentration0, shape)
    return surface.sigmoid(surface.subtract(one, zero))


def dirichlet(key: Any, concentration: Any, shape: int | Axes = ()) -> Any:
    """Points of the simplex.

    Parameters
    ----------
    key : Array, shape (2,)
    concentration : Array, shape (..., k)
        Positive.
    shape : tuple of int
        Number of points in front of the shape of `concentration`.

    Returns
    -------
    Array, shape (*shape, ..., k)
        Positive, with sum 1 along the last axis.
    """
    full = (*as_shape(shape), *np.shape(concentration))
    return surface.softmax(log_gamma(key, concentration, full), -1)

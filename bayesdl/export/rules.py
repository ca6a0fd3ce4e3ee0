"""Arrays that models make with NumPy from a number of rows, as rules that make them for any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rule:
    """How a constant of any shape is made.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    numbers : tuple of float
        Its parameters.
    """

    family: str
    numbers: tuple[float, ...]

    def make(self, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
        """The constant of this shape."""
        return FAMILIES[self.family].make(tuple(shape), dtype, self.numbers)


@dataclass(frozen=True)
class Family:
    """A kind of constant that models make from the number of rows.

    Parameters
    ----------
    numbers : callable, array -> tuple of float
        The parameters that an array would have.
    make : callable, (shape, dtype, numbers) -> array
    """

    numbers: Callable[[Array], tuple[float, ...]]
    make: Callable[[tuple[int, ...], np.dtype[Any], tuple[float, ...]], Array]


def _ramp_numbers(array: Array) -> tuple[float, ...]:
    """The first element, and the step along each axis."""
    origin = array[(0,) * array.ndim].item()
    nexts = [(0,) * i + (min(1, n - 1),) for i, n in enumerate(array.shape)]
    return (origin, *(array[n + (0,) * (array.ndim - len(n))].item() - origin for n in nexts))


def _ramp(shape: tuple[int, ...], dtype: np.dtype[Any], numbers: tuple[float, ...]) -> Array:
    origin, *steps = numbers
    total = np.full(shape, origin, dtype)
    for axis, step in enumerate(steps):
        if step:
            along = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - axis - 1))
            total = total + (step * along).astype(dtype)
    return total


def _corner(array: Array) -> tuple[float, ...]:
    return (array[(0,) * array.ndim].item(),)


def _matrix(
    where: Callable[[Array, Array], Array],
) -> Callable[[tuple[int, ...], np.dtype[Any], tuple[float, ...]], Array]:
    def make(shape: tuple[int, ...], dtype: np.dtype[Any], numbers: tuple[float, ...]) -> Array:
        i, j = (np.arange(shape[-2])[:, None], np.arange(shape[-1])) if len(shape) > 1 else (0, 1)
        inside = where(np.asarray(i), np.asarray(j))
        return np.broadcast_to(np.where(inside, numbers[0], 0.0), shape).astype(dtype)

    return make


# Arrays that models make with NumPy from a number of rows: zeros, ones, full and arange along any
# axis; eye, tril and triu of one number.
FAMILIES = {
    "ramp": Family(_ramp_numbers, _ramp),
    "eye": Family(_corner, _matrix(lambda i, j: i == j)),
    "lower": Family(_corner, _matrix(lambda i, j: i >= j)),
    "upper": Family(_corner, _matrix(lambda i, j: i <= j)),
}

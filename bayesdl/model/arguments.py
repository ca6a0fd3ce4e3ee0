"""A model's arguments at the door: arrays are data, everything else is static."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl._base.errors import DtypeError
from bayesdl._base.source import user_source
from bayesdl._base.tree import Tree, flatten, unflatten
from bayesdl.ir.types import ArrayType
from bayesdl.ops import numpy as bnp


@dataclass(frozen=True)
class Arguments:
    """Arguments split into data and the rest.

    Parameters
    ----------
    data : list of numpy.ndarray
        The arrays, in order.
    tree : Tree
        Shape of (args, kwargs).
    leaves : list
        All leaves; arrays replaced by None.
    places : list of int
        Where the arrays stand among the leaves.
    """

    data: list[np.ndarray[Any, Any]]
    tree: Tree
    leaves: list[Any]
    places: list[int]

    @property
    def types(self) -> list[ArrayType]:
        """Types of the data."""
        return [ArrayType(d.shape, d.dtype) for d in self.data]

    def rebuild(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments with other arrays in the places of the data."""
        leaves = list(self.leaves)
        for place, array in zip(self.places, arrays, strict=True):
            leaves[place] = array
        args, kwargs = unflatten(self.tree, leaves)
        return args, kwargs


def read_arguments(
    args: Sequence[Any], kwargs: Mapping[str, Any], dtype: Any = np.float64
) -> Arguments:
    """Split arguments; lists of numbers, data frames and the like become arrays.

    Raises
    ------
    DtypeError
        For data that are not numbers.
    """
    with bnp.using_dtype(dtype):
        ready = tuple(_arrayed(a) for a in args), {k: _arrayed(v) for k, v in kwargs.items()}
    leaves, tree = flatten(ready)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)]
    data = [np.asarray(leaves[i], order="C") for i in places]
    static = [None if i in places else leaf for i, leaf in enumerate(leaves)]
    return Arguments(data, tree, static, places)


def _arrayed(value: Any) -> Any:
    """Arrays and what becomes one; Python ints, bools, strings and None stay as they are."""
    if value is None or isinstance(value, (int, str, bool)):
        return value
    if isinstance(value, dict):
        return {k: _arrayed(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_arrayed(v) for v in value)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            "an argument of the model is not made of numbers.",
            facts=[("dtype", array.dtype), ("type", type(value).__name__)],
            fix="encode text columns as numbers first, for example with pandas.factorize.",
            where=user_source(),
            code="T102",
        )
    return np.asarray(bnp.asarray(array))

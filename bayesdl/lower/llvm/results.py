"""What a nest makes: values that are stored, and values that are accumulated."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Var

from .code import constant
from .expression import F64, Index, Node
from .growth import Factors

DType = np.dtype[Any]

BLOCK = 256  # terms of float32 that are summed in float32


@dataclass(frozen=True, slots=True)
class Store:
    """A value put into memory at every place of a nest; added to what is there if `add`."""

    pointer: str
    offset: Index
    node: Node
    add: bool = False


@dataclass(frozen=True, slots=True)
class Reduce:
    """A value accumulated over the axes of a nest that are not `kept`.

    Parameters
    ----------
    var : Var
        The result.
    node : Node
        What is accumulated.
    op : str
        ``add``, ``max``, ``min``, ``and`` or ``or``.
    kept : tuple of int
        The nest's axes that are the result's, in order.
    at : int
        Which element of the result it is, where it is one number.
    terms : int
        Of the sum that an element of an array is.
    """

    var: Var
    node: Node
    op: str
    kept: tuple[int, ...]
    at: int = 0
    terms: int = 0

    @property
    def is_number(self) -> bool:
        """Whether everything goes into one number."""
        return not self.kept

    @property
    def dtype(self) -> DType:
        """Of the total: sums of float32 are kept in float64 until they are stored.

        Those of an array with few terms each are not, for its elements are summed side by side.
        """
        is_long = self.is_number or self.terms > BLOCK
        is_wide = self.op == "add" and self.node.dtype.kind == "f" and is_long
        return F64 if is_wide else self.node.dtype

    @property
    def is_widened(self) -> bool:
        """Whether the total is of another dtype than its terms."""
        return self.dtype != self.node.dtype


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """Factors whose product's logarithm is added to a sum, put aside until there are enough.

    Parameters
    ----------
    reduce : Reduce
    factors : Factors
    room : str
        Where they are put.
    """

    reduce: Reduce
    factors: Factors
    room: str


def neutral(reduce: Reduce, dtype: DType | None = None) -> str:
    """What leaves every value as it is."""
    dtype = dtype or reduce.dtype
    if reduce.op in ("add", "or"):
        return constant(0, dtype)
    if dtype.kind == "b":
        return "true" if reduce.op in ("and", "min") else "false"
    low = reduce.op == "max"
    if dtype.kind == "f":
        return constant(-np.inf if low else np.inf, dtype)
    bounds = np.iinfo(dtype)
    return constant(bounds.min if low else bounds.max, dtype)

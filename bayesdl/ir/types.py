"""ArrayType: what is known of an array before its numbers are."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass

NAMES: dict[str, np.dtype[Any]] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "i64": np.dtype(np.int64),
    "i32": np.dtype(np.int32),
    "u64": np.dtype(np.uint64),
    "u32": np.dtype(np.uint32),
    "bool": np.dtype(np.bool_),
}
SHORT: dict[np.dtype[Any], str] = {dtype: name for name, dtype in NAMES.items()}


@dataclass(frozen=True, slots=True)
class ArrayType:
    """Shape and dtype of an array, without its value.

    Parameters
    ----------
    shape : tuple of int
        Sizes of the axes; ``()`` for a scalar.
    dtype : numpy.dtype
        One of `NAMES`.

    Examples
    --------
    >>> ArrayType((3, 2), np.dtype(float))
    f64[3,2]
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __repr__(self) -> str:
        return f"{SHORT[self.dtype]}[{','.join(map(str, self.shape))}]"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(prod(self.shape))

    @property
    def is_float(self) -> bool:
        """Whether derivatives flow through it."""
        return self.dtype.kind == "f"

    def with_shape(self, shape: tuple[int, ...]) -> ArrayType:
        """The same dtype in another shape."""
        return ArrayType(tuple(shape), self.dtype)

    def with_dtype(self, dtype: Any) -> ArrayType:
        """The same shape with another dtype."""
        return ArrayType(self.shape, np.dtype(dtype))

    def drop(self, axes: tuple[int, ...]) -> ArrayType:
        """The type without the named axes."""
        return self.with_shape(tuple(n for i, n in enumerate(self.shape) if i not in axes))


def type_of(value: Any) -> ArrayType:
    """The type of a NumPy array or a Python scalar.

    Raises
    ------
    TypeError
        If the dtype is not one of `NAMES`.
    """
    array = np.asarray(value)
    if array.dtype not in SHORT:
        raise TypeError(f"dtype {array.dtype} is not one of {', '.join(NAMES)}")
    return ArrayType(array.shape, array.dtype)


def parse_type(text: str) -> ArrayType:
    """The inverse of ``repr``.

    >>> parse_type("f32[2,3]").shape
    (2, 3)
    """
    name, _, rest = text.partition("[")
    dims = rest.rstrip("]")
    return ArrayType(tuple(int(d) for d in dims.split(",") if d), NAMES[name])

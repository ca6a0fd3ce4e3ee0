"""Array, the handle that user code holds: operators, indexing, and NumPy's own protocols."""

from __future__ import annotations

from functools import cache
from inspect import signature
from typing import Any, NoReturn

import numpy as np

from bayesdl._base.errors import ConcreteError, TraceError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle

from . import numpy as surface


class Array(Handle):
    """An array in flight: it has a type and a place in a Program, and no number yet.

    NumPy functions accept it (``np.exp(x)``, ``np.concatenate([x, y])``) and give an Array back.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    """

    __slots__ = ()
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment]

    # --- what it is ---------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self.atom.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.atom.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.atom.type.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.atom.type.size

    @property
    def T(self) -> Any:
        """Axes reversed."""
        return surface.transpose(self)

    def __repr__(self) -> str:
        return f"Array({self.atom.type})"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a scalar array")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    # --- numbers are not known while tracing --------------------------------------------------

    def _number(self, asked: str, fix: str) -> Any:
        if self.value is None:
            raise self._unknown(asked, fix)
        return self.value

    def _unknown(self, asked: str, fix: str) -> ConcreteError:
        return ConcreteError(
            f"{asked} needs a number, but this value is known only when the Program runs.",
            facts=[("value", repr(self.atom.type))],
            fix=fix,
            where=user_source(),
            code="T201",
        )

    def __bool__(self) -> bool:
        return bool(
            self._number(
                "a Python `if`, `while`, `and` or `not`",
                "write bayesdl.numpy.where(condition, a, b) for a choice per element, "
                "or bayesdl.cond(condition, f, g, *args) for a branch.",
            )
        )

    def __float__(self) -> float:
        if self.dtype.kind == "f":
            # Also where the number is known: its derivative would be lost without a word.
            raise self._unknown("float()", "keep the array; math functions have twins in numpy.")
        return float(self._number("float()", "keep the array, or use x.astype(float)."))

    def __int__(self) -> int:
        return int(self._number("int()", "keep the array, or use x.astype(int)."))

    def __index__(self) -> int:
        fix = "use bayesdl.numpy.take, or a Python int for a size."
        return int(self._number("an index or a size", fix))

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise self._unknown(
            "np.asarray(), or a NumPy function that bayesdl does not know,",
            "use the function of the same name in bayesdl.numpy; for table[i] with a NumPy table, "
            "bayesdl.numpy.take(table, i, axis=0).",
        )

    # --- NumPy's protocols --------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if method == "reduce":
            name = _REDUCTIONS.get(name, "")
            kwargs.setdefault("axis", 0)
        function = surface.FUNCTIONS.get(name) if method in ("__call__", "reduce") else None
        given = {k for k, v in kwargs.items() if v is not None}
        if function is None or not given <= {"axis", "keepdims"}:
            called = f"numpy.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
            raise _not_traced(called, sorted(given - {"axis", "keepdims"}))
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name, function, known = _twin(func)
        if function is None:
            raise _not_traced(f"numpy.{name}", [])
        strange = sorted(k for k, v in kwargs.items() if k not in known and v is not None)
        if strange:
            raise _not_traced(f"numpy.{name}", strange)
        return function(*args, **{k: v for k, v in kwargs.items() if k in known})

    # --- operators ----------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return surface.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return surface.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return surface.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return surface.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return surface.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return surface.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return surface.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return surface.divide(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return surface.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return surface.floor_divide(other, self)

    def __mod__(self, other: Any) -> Any:
        return surface.remainder(self, other)

    def __rmod__(self, other: Any) -> Any:
        return surface.remainder(other, self)

    def __pow__(self, other: Any) -> Any:
        return surface.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return surface.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return surface.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return surface.matmul(other, self)

    def __neg__(self) -> Any:
        return surface.negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return surface.abs(self)

    def __eq__(self, other: Any) -> Any:
        return surface.equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return surface.not_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return surface.less(self, other)

    def __le__(self, other: Any) -> Any:
        return surface.less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return surface.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return surface.greater_equal(self, other)

    def __and__(self, other: Any) -> Any:
        return surface.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Any:
        return surface.bitwise_and(other, self)

    def __or__(self, other: Any) -> Any:
        return surface.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Any:
        return surface.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Any:
        return surface.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Any:
        return surface.bitwise_xor(other, self)

    def __lshift__(self, other: Any) -> Any:
        return surface.left_shift(self, other)

    def __rshift__(self, other: Any) -> Any:
        return surface.right_shift(self, other)

    def __invert__(self) -> Any:
        return surface.invert(self)

    def __getitem__(self, index: Any) -> Any:
        return surface.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise ConcreteError(
            "arrays in flight cannot be written into.",
            facts=[("array", repr(self.atom.type))],
            fix="build the result with bayesdl.numpy.where, concatenate or stack.",
            where=user_source(),
            code="T202",
        )

    # --- methods that NumPy arrays have -------------------------------------------------------

    def astype(self, dtype: Any) -> Any:
        """Cast to a dtype."""
        return surface.astype(self, dtype)

    def reshape(self, *shape: Any) -> Any:
        """Same elements in another shape."""
        return surface.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Any:
        """All elements along one axis."""
        return surface.ravel(self)

    def flatten(self) -> Any:
        """All elements along one axis."""
        return surface.ravel(self)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        return surface.swapaxes(self, axis1, axis2)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """Limited to an interval."""
        return surface.clip(self, min, max)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        """Elements by their indices."""
        return surface.take(self, indices, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """Elements with equal indices along two axes."""
        return surface.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """Sum of a diagonal."""
        return surface.trace(self, offset, axis1, axis2)

    def transpose(self, *axes: Any) -> Any:
        """Axes in another order."""
        return surface.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def squeeze(self, axis: Any = None) -> Any:
        """Without axes of size 1."""
        return surface.squeeze(self, axis)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Sum along axes."""
        return surface.sum(self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Mean along axes."""
        return surface.mean(self, axis, keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Product along axes."""
        return surface.prod(self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Largest element along axes."""
        return surface.max(self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Smallest element along axes."""
        return surface.min(self, axis, keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        """Variance along axes."""
        return surface.var(self, axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        """Standard deviation along axes."""
        return surface.std(self, axis, ddof=ddof, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether any element is true."""
        return surface.any(self, axis, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether all elements are true."""
        return surface.all(self, axis, keepdims=keepdims)

    def argmax(self, axis: Any = None) -> Any:
        """Index of the largest element."""
        return surface.argmax(self, axis)

    def argmin(self, axis: Any = None) -> Any:
        """Index of the smallest element."""
        return surface.argmin(self, axis)

    def cumsum(self, axis: Any = None) -> Any:
        """Running sum."""
        return surface.cumsum(self, axis)

    def dot(self, other: Any) -> Any:
        """Product as in ``numpy.dot``."""
        return surface.dot(self, other)


_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}


@cache
def _twin(func: Any) -> tuple[str, Any, frozenset[str]]:
    """The name of a NumPy function, its twin on the surface if there is one, and its parameters."""
    module = func.__module__.rpartition(".")[2]
    name = f"linalg.{func.__name__}" if module == "linalg" else func.__name__
    function = surface.FUNCTIONS.get(name)
    return name, function, frozenset(signature(function).parameters if function else ())


def _not_traced(called: str, arguments: list[str]) -> TraceError:
    return TraceError(
        f"{called} cannot be traced" + (f" with {', '.join(arguments)}=." if arguments else "."),
        fix="write it with the functions of bayesdl.numpy.",
        where=user_source(),
        code="T203",
    )

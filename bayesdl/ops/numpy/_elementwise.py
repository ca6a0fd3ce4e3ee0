"""NumPy's elementwise functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source

from .. import elementwise as ew
from ._promote import (
    FUNCTIONS,
    asarray,
    astype,
    default_dtype,
    promoted,
    stretched,
    surface,
    weak,
)


def _unary(name: str, op: Any, *others: str, floating: bool = True) -> Any:
    def function(x: Any) -> Any:
        return op(*promoted(_strong(x), floating=floating))

    return _named(function, name, others)


def _binary(name: str, op: Any, *others: str, floating: bool = False) -> Any:
    def function(x: Any, y: Any) -> Any:
        x, y = _one_strong(x, y)
        return op(*promoted(x, y, floating=floating))

    return _named(function, name, others)


def _named(function: Any, name: str, others: tuple[str, ...]) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As ``numpy.{name}``."
    return surface(name, *others)(function)


def _strong(x: Any) -> Any:
    return asarray(x)


def _one_strong(x: Any, y: Any) -> tuple[Any, Any]:
    """Two Python numbers have no array to take a dtype from; the first becomes one."""
    return (asarray(x), asarray(y)) if weak(x) and weak(y) else (x, y)


subtract = _binary("subtract", ew.sub)
divide = _binary("divide", ew.div, "true_divide", floating=True)
maximum = _binary("maximum", ew.maximum)
minimum = _binary("minimum", ew.minimum)
arctan2 = _binary("arctan2", ew.arctan2, floating=True)
equal = _binary("equal", ew.equal)
not_equal = _binary("not_equal", ew.not_equal)
less = _binary("less", ew.less)
less_equal = _binary("less_equal", ew.less_equal)
greater = _binary("greater", ew.greater)
greater_equal = _binary("greater_equal", ew.greater_equal)
bitwise_and = _binary("bitwise_and", ew.bit_and)
bitwise_or = _binary("bitwise_or", ew.bit_or)
bitwise_xor = _binary("bitwise_xor", ew.bit_xor)
left_shift = _binary("left_shift", ew.shift_left)
right_shift = _binary("right_shift", ew.shift_right)
invert = _unary("invert", ew.bit_not, "bitwise_not", floating=False)
negative = _unary("negative", ew.neg, floating=False)
abs = _unary("abs", ew.absolute, "absolute", floating=False)
fabs = _unary("fabs", ew.absolute)
sign = _unary("sign", ew.sign, floating=False)
floor = _unary("floor", ew.floor)
ceil = _unary("ceil", ew.ceil)
rint = _unary("rint", ew.rint)
square = _unary("square", ew.square, floating=False)
exp = _unary("exp", ew.exp)
expm1 = _unary("expm1", ew.expm1)
log = _unary("log", ew.log)
log1p = _unary("log1p", ew.log1p)
sqrt = _unary("sqrt", ew.sqrt)
sin = _unary("sin", ew.sin)
cos = _unary("cos", ew.cos)
tan = _unary("tan", ew.tan)
arcsin = _unary("arcsin", ew.arcsin, "asin")
arccos = _unary("arccos", ew.arccos, "acos")
arctan = _unary("arctan", ew.arctan, "atan")
sinh = _unary("sinh", ew.sinh)
cosh = _unary("cosh", ew.cosh)
tanh = _unary("tanh", ew.tanh)
arcsinh = _unary("arcsinh", ew.arcsinh, "asinh")
arccosh = _unary("arccosh", ew.arccosh, "acosh")
arctanh = _unary("arctanh", ew.arctanh, "atanh")
isfinite = _unary("isfinite", ew.isfinite)
isnan = _unary("isnan", ew.isnan)
sigmoid = _unary("sigmoid", ew.sigmoid)
softplus = _unary("softplus", ew.softplus)


@surface()
def add(x: Any, y: Any) -> Any:
    """As ``numpy.add``; of booleans it is `or`."""
    x, y = promoted(*_one_strong(x, y))
    return ew.bit_or(x, y) if x.dtype.kind == "b" else ew.add(x, y)


@surface()
def fmax(x: Any, y: Any) -> Any:
    """As ``numpy.fmax``: NaN gives way to a number."""
    return where(isnan(x), y, where(isnan(y), x, maximum(x, y)))


@surface()
def fmin(x: Any, y: Any) -> Any:
    """As ``numpy.fmin``: NaN gives way to a number."""
    return where(isnan(x), y, where(isnan(y), x, minimum(x, y)))


@surface()
def multiply(x: Any, y: Any) -> Any:
    """As ``numpy.multiply``; of booleans it is `and`."""
    x, y = promoted(*_one_strong(x, y))
    return ew.bit_and(x, y) if x.dtype.kind == "b" else ew.mul(x, y)


@surface()
def floor_divide(x: Any, y: Any) -> Any:
    """As ``numpy.floor_divide``; of floats it is floor(x / y), which rounds before it floors."""
    x, y = promoted(*_one_strong(x, y))
    return ew.floor(ew.div(x, y)) if x.dtype.kind == "f" else ew.floor_div(x, y)


@surface("remainder", "mod")
def remainder(x: Any, y: Any) -> Any:
    """As ``numpy.remainder``: the sign of the divisor; of floats it is x − y floor(x / y)."""
    x, y = promoted(*_one_strong(x, y))
    if x.dtype.kind == "f":
        return ew.sub(x, ew.mul(y, ew.floor(ew.div(x, y))))
    return ew.remainder(x, y)


@surface("power", "pow")
def power(x: Any, y: Any) -> Any:
    """As ``numpy.power``; a small Python integer exponent becomes products.

    A negative Python exponent of integers gives floats, and so does an integer array as exponent.
    """
    if weak(y) and float(y).is_integer() and -64 <= y <= 64:
        base = asarray(x)
        whole = base.dtype.kind == "i" and type(y) is int and y >= 0
        base = base if whole or base.dtype.kind == "f" else astype(base, default_dtype())
        return ew.square(base) if y == 2 else ew.integer_power(base, exponent=int(y))
    if weak(y) and y == 0.5:
        return sqrt(x)
    return ew.power(*promoted(*_one_strong(x, y), floating=True))


@surface()
def float_power(x: Any, y: Any) -> Any:
    """As ``numpy.float_power``: integers become floats first."""
    x = asarray(x)
    return power(x if x.dtype.kind == "f" else astype(x, default_dtype()), y)


@surface()
def reciprocal(x: Any) -> Any:
    """As ``numpy.reciprocal``."""
    return divide(1.0, x)


@surface()
def exp2(x: Any) -> Any:
    """As ``numpy.exp2``."""
    return exp(multiply(x, math.log(2.0)))


@surface()
def log2(x: Any) -> Any:
    """As ``numpy.log2``."""
    return multiply(log(x), 1.0 / math.log(2.0))


@surface()
def log10(x: Any) -> Any:
    """As ``numpy.log10``."""
    return multiply(log(x), 1.0 / math.log(10.0))


@surface()
def hypot(x: Any, y: Any) -> Any:
    """As ``numpy.hypot``; its derivative at (0, 0) is 0."""
    return ew.length(*promoted(add(square(x), square(y)), floating=True))


@surface()
def logaddexp(x: Any, y: Any) -> Any:
    """As ``numpy.logaddexp``; log(exp x + exp y) without overflow, also at −∞."""
    x, y = promoted(*_one_strong(x, y), floating=True)
    high, low = ew.maximum(x, y), ew.minimum(x, y)
    # At a common infinity the difference would be NaN; nothing is added there.
    same = ew.equal(high, low)
    gap = ew.where(same, high.dtype.type(0.0), ew.sub(low, high))
    return ew.add(high, ew.log1p(ew.exp(gap)))


@surface()
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """As ``numpy.where`` with three arguments.

    The branch that is not taken moves nothing: derivatives of ``where(x > 0, x * log(x), 0)`` are
    right at 0 as well, in both modes. Two things between a branch and its inputs still let an
    infinity through in reverse mode, a matrix product and the body of scan, cond or call; there,
    choose the operand first: ``log(where(x > 0, x, 1))``.
    """
    if x is None or y is None:
        raise ShapeError(
            "`where` with one argument has a result whose size depends on the values.",
            fix="give all three: where(condition, x, y).",
            where=user_source(),
            code="T108",
        )
    x, y = promoted(*_one_strong(x, y))
    condition = astype(condition, np.bool_)
    return ew.where(*stretched([condition, x, y]))


@surface()
def clip(x: Any, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None) -> Any:
    """As ``numpy.clip``."""
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    x = asarray(x) if low is None else maximum(x, low)
    return x if high is None else minimum(x, high)


@surface()
def isinf(x: Any) -> Any:
    """As ``numpy.isinf``."""
    return equal(abs(x), math.inf)


def _logical(name: str, op: Any) -> Any:
    def function(*operands: Any) -> Any:
        return op(*stretched([astype(x, np.bool_) for x in operands]))

    return _named(function, name, ())


logical_and = _logical("logical_and", ew.bit_and)
logical_or = _logical("logical_or", ew.bit_or)
logical_xor = _logical("logical_xor", ew.bit_xor)
logical_not = _logical("logical_not", ew.bit_not)


@surface("astype")
def cast(x: Any, dtype: Any) -> Any:
    """As ``numpy.astype``."""
    return astype(x, dtype)


@surface()
def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """As ``numpy.nan_to_num``: NaN and infinities replaced by numbers."""
    (x,) = promoted(asarray(x), floating=True)
    limits = np.finfo(x.dtype)
    top = float(limits.max) if posinf is None else posinf
    bottom = float(limits.min) if neginf is None else neginf
    finite = where(isnan(x), nan, where(equal(x, math.inf), top, x))
    return where(equal(x, -math.inf), bottom, finite)


@surface()
def stop_gradient(x: Any) -> Any:
    """The value, with a derivative of zero."""
    return ew.stop_gradient(asarray(x))


__all__ = sorted(name for name in FUNCTIONS if name in globals())

"""Primitives that work element by element, on inputs of one shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import DtypeError
from bayesdl.ir.primitive import Case
from bayesdl.ir.types import ArrayType

from ._declare import ANY, BOOL, INTEGER, NUMBER, common_shape, elementwise

_INTS = ("i64", "i32", "u32", "u64")
_NUMBERS = ("f64", "f32", "i64", "i32", "u32", "u64")

# --- arithmetic -------------------------------------------------------------------------------

add = elementwise(
    "add", numpy=np.add, partials=lambda o, x, y: (1, 1), accepts=NUMBER, kinds=_NUMBERS
)
sub = elementwise(
    "sub", numpy=np.subtract, partials=lambda o, x, y: (1, -1), accepts=NUMBER, kinds=_NUMBERS
)
mul = elementwise(
    "mul", numpy=np.multiply, partials=lambda o, x, y: (y, x), accepts=NUMBER, kinds=_NUMBERS
)
div = elementwise(
    "div",
    numpy=np.divide,
    partials=lambda o, x, y: (div(1.0, y), neg(div(o, y))),
    guarded=True,
    domain=(0.5, 2.0),
)
neg = elementwise(
    "neg", numpy=np.negative, partials=lambda o, x: (-1,), accepts="fi", kinds=("f64", "f32", "i64")
)
absolute = elementwise(
    "abs", numpy=np.abs, partials=lambda o, x: (sign(x),), accepts="fi", domain=(0.2, 2.0)
)
sign = elementwise("sign", numpy=np.sign, accepts="fi")
maximum = elementwise(
    "max",
    numpy=np.maximum,
    selects=True,
    partials=lambda o, x, y: _tie_split(x, y, o),
    accepts=NUMBER,
    kinds=_NUMBERS,
)
minimum = elementwise(
    "min",
    numpy=np.minimum,
    selects=True,
    partials=lambda o, x, y: _tie_split(x, y, o),
    accepts=NUMBER,
    kinds=_NUMBERS,
)
floor = elementwise("floor", numpy=np.floor)
ceil = elementwise("ceil", numpy=np.ceil)
rint = elementwise("rint", numpy=np.rint)
square = elementwise(
    "square",
    numpy=np.square,
    partials=lambda o, x: (mul(2.0, x),),
    accepts="fi",
    kinds=("f64", "f32", "i64"),
)
floor_div = elementwise(
    "floor_div", numpy=np.floor_divide, accepts=INTEGER, domain=(1, 9), kinds=_INTS
)
remainder = elementwise(
    "remainder", numpy=np.remainder, accepts=INTEGER, domain=(1, 9), kinds=_INTS
)
# The product of a cotangent with a partial that may be infinite: zero wherever the cotangent is.
# Its derivatives are guarded by the same cotangent, so that second derivatives stay finite too.
guarded_mul = elementwise(
    "guarded_mul",
    numpy=lambda c, p: np.where(c == 0, np.zeros_like(c), c * p),
    selects=True,
    linear_in=(0, 1),
    multilinear=True,
    transpose=lambda ct, c, p: (guarded_mul(ct, p), guarded_mul(c, ct)),
    arity=2,
)

# --- powers, exponentials, logarithms ---------------------------------------------------------

exp = elementwise("exp", numpy=np.exp, partials=lambda o, x: (o,))
expm1 = elementwise("expm1", numpy=np.expm1, partials=lambda o, x: (add(o, 1.0),))
log = elementwise(
    "log", numpy=np.log, partials=lambda o, x: (div(1.0, x),), guarded=True, domain=(0.2, 3.0)
)
log1p = elementwise(
    "log1p",
    numpy=np.log1p,
    partials=lambda o, x: (div(1.0, add(1.0, x)),),
    guarded=True,
    domain=(-0.5, 2.0),
)
sqrt = elementwise(
    "sqrt", numpy=np.sqrt, partials=lambda o, x: (div(0.5, o),), guarded=True, domain=(0.2, 3.0)
)
power = elementwise(
    "power",
    numpy=np.power,
    partials=lambda o, x, y: _power_partials(o, x, y),
    guarded=True,
    domain=(0.3, 2.0),
)
integer_power = elementwise(
    "integer_power",
    numpy=lambda x, *, exponent: _integer_power(x, exponent),
    partials=lambda o, x, *, exponent: (_integer_power_partial(x, exponent),),
    guarded=True,
    accepts="fi",
    arity=1,
    params=({"exponent": 3}, {"exponent": 2}, {"exponent": -2}, {"exponent": 1}, {"exponent": 0}),
    domain=(0.5, 2.0),
)

# --- trigonometric and hyperbolic -------------------------------------------------------------

sin = elementwise("sin", numpy=np.sin, partials=lambda o, x: (cos(x),))
cos = elementwise("cos", numpy=np.cos, partials=lambda o, x: (neg(sin(x)),))
tan = elementwise(
    "tan", numpy=np.tan, partials=lambda o, x: (add(1.0, square(o)),), domain=(-1.0, 1.0)
)
arcsin = elementwise(
    "arcsin",
    numpy=np.arcsin,
    partials=lambda o, x: (_inverse_sqrt(_one_minus_square(x)),),
    guarded=True,
    domain=(-0.8, 0.8),
)
arccos = elementwise(
    "arccos",
    numpy=np.arccos,
    partials=lambda o, x: (neg(_inverse_sqrt(_one_minus_square(x))),),
    guarded=True,
    domain=(-0.8, 0.8),
)
arctan = elementwise(
    "arctan", numpy=np.arctan, partials=lambda o, x: (div(1.0, add(1.0, square(x))),)
)
arctan2 = elementwise(
    "arctan2",
    numpy=np.arctan2,
    partials=lambda o, y, x: _arctan2_partials(y, x),
    guarded=True,
    domain=(0.3, 2.0),
)
sinh = elementwise("sinh", numpy=np.sinh, partials=lambda o, x: (cosh(x),))
cosh = elementwise("cosh", numpy=np.cosh, partials=lambda o, x: (sinh(x),))
tanh = elementwise("tanh", numpy=np.tanh, partials=lambda o, x: (_one_minus_square(o),))
arcsinh = elementwise(
    "arcsinh", numpy=np.arcsinh, partials=lambda o, x: (_inverse_sqrt(add(1.0, square(x))),)
)
arccosh = elementwise(
    "arccosh",
    numpy=np.arccosh,
    partials=lambda o, x: (_inverse_sqrt(sub(square(x), 1.0)),),
    guarded=True,
    domain=(1.3, 3.0),
)
arctanh = elementwise(
    "arctanh",
    numpy=np.arctanh,
    partials=lambda o, x: (div(1.0, _one_minus_square(x)),),
    guarded=True,
    domain=(-0.8, 0.8),
)
sigmoid = elementwise(
    "sigmoid", numpy=lambda x: _sigmoid(x), partials=lambda o, x: (mul(o, sub(1.0, o)),), arity=1
)
softplus = elementwise(
    "softplus",
    numpy=lambda x: np.logaddexp(x, np.zeros_like(x)),
    partials=lambda o, x: (sigmoid(x),),
    arity=1,
)

# --- comparisons, logic, bits -----------------------------------------------------------------


def _comparison(name: str, ufunc: Any) -> Any:
    return elementwise(
        name, numpy=ufunc, accepts=ANY, gives=np.bool_, arity=2, kinds=("f64", "f32", "i64", "u32")
    )


equal = _comparison("equal", np.equal)
not_equal = _comparison("not_equal", np.not_equal)
less = _comparison("less", np.less)
less_equal = _comparison("less_equal", np.less_equal)
greater = _comparison("greater", np.greater)
greater_equal = _comparison("greater_equal", np.greater_equal)
isfinite = elementwise("isfinite", numpy=np.isfinite, gives=np.bool_, arity=1)
isnan = elementwise("isnan", numpy=np.isnan, gives=np.bool_, arity=1)

_BITS = INTEGER + BOOL
bit_and = elementwise("and", numpy=np.bitwise_and, accepts=_BITS, kinds=(*_INTS, "bool"))
bit_or = elementwise("or", numpy=np.bitwise_or, accepts=_BITS, kinds=(*_INTS, "bool"))
bit_xor = elementwise("xor", numpy=np.bitwise_xor, accepts=_BITS, kinds=(*_INTS, "bool"))
bit_not = elementwise("not", numpy=np.invert, accepts=_BITS, kinds=(*_INTS, "bool"))
shift_left = elementwise(
    "shift_left", numpy=np.left_shift, accepts=INTEGER, domain=(0, 9), kinds=_INTS
)
shift_right = elementwise(
    "shift_right", numpy=np.right_shift, accepts=INTEGER, domain=(0, 9), kinds=_INTS
)

# --- choice and casts -------------------------------------------------------------------------


def _where_type(c: ArrayType, x: ArrayType, y: ArrayType) -> tuple[ArrayType, ...]:
    if c.dtype.kind != "b" or x.dtype != y.dtype:
        raise DtypeError(
            "`where` needs a boolean condition and two values of one dtype.",
            facts=[("condition", c), ("if true", x), ("if false", y)],
            fix="compare to get a boolean, and cast the values to one dtype.",
            code="T102",
        )
    return (x.with_shape(common_shape("where", (c, x, y))),)


where = elementwise(
    "where",
    numpy=np.where,
    type=_where_type,
    selects=True,
    linear_in=(1, 2),
    transpose=lambda ct, c, x, y: (where(c, ct, 0.0), where(c, 0.0, ct)),
    cases=tuple(
        Case((f"bool[{n}]", f"{k}[{n}]", f"{k}[{n}]"))
        for k in ("f64", "f32", "i64")
        for n in ("", "2,3")
    ),
)
convert = elementwise(
    "convert",
    numpy=lambda x, *, dtype: np.asarray(x).astype(dtype),
    type=lambda x, *, dtype: (x.with_dtype(dtype),),
    linear_in=(0,),
    transpose=lambda ct, x, *, dtype: (convert(ct, dtype=x.dtype),),
    arity=1,
    params=(
        {"dtype": np.dtype(np.float32)},
        {"dtype": np.dtype(np.float64)},
        {"dtype": np.dtype(np.int64)},
    ),
)
bitcast = elementwise(
    "bitcast",
    numpy=lambda x, *, dtype: np.asarray(x).view(dtype),
    type=lambda x, *, dtype: (x.with_dtype(dtype),),
    accepts=ANY,
    arity=1,
    params=({"dtype": np.dtype(np.float64)},),
    kinds=("i64", "u64"),
)
stop_gradient = elementwise("stop_gradient", numpy=np.positive, accepts=NUMBER, arity=1)


# --- pieces of the formulas above, and of the two derivative modes -----------------------------


def times(moved: Any, partial: Any, guarded: bool, selects: bool) -> Any:
    """A tangent or cotangent times a partial, without arithmetic where the partial is 1 or −1.

    Parameters
    ----------
    guarded : bool
        Whether nothing moved is nothing, whatever the partial.
    selects : bool
        Whether a partial of zero gives zero, whatever moved.
    """
    if isinstance(partial, int):
        return moved if partial == 1 else neg(moved)
    if selects:
        return guarded_mul(partial, moved)
    return guarded_mul(moved, partial) if guarded else mul(moved, partial)


def length(squared: Any) -> Any:
    """√s of a sum of squares; its derivative at 0 is 0, the shortest of the subgradients."""
    nothing = equal(squared, 0.0)
    return where(nothing, 0.0, sqrt(where(nothing, 1.0, squared)))


def _inverse_sqrt(x: Any) -> Any:
    return div(1.0, sqrt(x))


def _one_minus_square(x: Any) -> Any:
    return sub(1.0, square(x))


def _tie_split(x: Any, y: Any, chosen: Any) -> tuple[Any, Any]:
    """Derivative of max and min: 1 for the chosen operand, a half for each at a tie."""
    half, one, zero = (x.dtype.type(v) for v in (0.5, 1.0, 0.0))
    share = where(equal(x, y), half, one)
    return where(equal(x, chosen), share, zero), where(equal(y, chosen), share, zero)


def _power_partials(o: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """y xʸ⁻¹ and xʸ log x, both 0 where the power is constant: y = 0, and x = 0."""
    flat, zero = equal(y, 0.0), equal(x, 0.0)
    by_base = mul(y, power(x, where(flat, 1.0, sub(y, 1.0))))
    return by_base, where(zero, 0.0, mul(o, log(where(zero, 1.0, x))))


def _arctan2_partials(y: Any, x: Any) -> tuple[Any, Any]:
    radius = add(square(x), square(y))
    return div(x, radius), neg(div(y, radius))


def _integer_power_partial(x: Any, exponent: int) -> Any:
    if exponent == 0:
        return None
    return 1 if exponent == 1 else mul(float(exponent), integer_power(x, exponent=exponent - 1))


def _integer_power(x: Any, exponent: int) -> Any:
    result = np.power(np.asarray(x), abs(exponent))
    return np.asarray(1.0 / result, dtype=result.dtype) if exponent < 0 else result


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e)).astype(np.asarray(x).dtype)

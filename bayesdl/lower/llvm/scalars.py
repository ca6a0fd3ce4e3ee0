"""What each elementwise primitive does to one element, or to those of a register at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.primitive import PRIMITIVES

from . import mathlib
from .code import Code, constant, in_each_lane, register_type

DType = np.dtype[Any]
I64, I32, BOOL = np.dtype(np.int64), np.dtype(np.int32), np.dtype(np.bool_)
# What is written for one element alone: integers are divided one by one, huge angles by a jump, and
# no register holds numbers of two sizes.
ALONE = {"floor_div", "remainder", "sin", "cos", "tan"}


@dataclass(frozen=True, slots=True)
class Element:
    """One use of an elementwise primitive on one element.

    Parameters
    ----------
    code : Code
        Where instructions go.
    inputs : tuple of dtype
    dtype : dtype
        Of the result.
    params : mapping
        The equation's parameters.
    """

    code: Code
    inputs: tuple[DType, ...]
    dtype: DType
    params: Mapping[str, Any]

    @property
    def operand(self) -> DType:
        """The dtype of the first operand."""
        return self.inputs[0]

    @property
    def kind(self) -> str:
        """LLVM's type of the first operand."""
        return register_type(self.code, self.inputs[0])

    def number(self, value: Any) -> str:
        """A constant of the first operand's dtype."""
        return in_each_lane(self.code, value, self.inputs[0])

    def select(self, condition: str, yes: str, no: str) -> str:
        """`yes` where the condition holds, both of the result's dtype."""
        return choice(self.code, self.dtype, condition, yes, no)


Rule = Callable[..., str]
RULES: dict[str, Rule] = {}


def element(
    code: Code, name: str, inputs: Sequence[DType], dtype: DType, params: Any, args: Sequence[str]
) -> str:
    """Write one element of a primitive's result; the name of the value."""
    use = Element(code, tuple(inputs), dtype, params)
    if name in RULES:
        return RULES[name](use, *args)
    if name in mathlib.NAMES:
        kind = register_type(code, dtype)
        operands = ", ".join(f"{kind} {a}" for a in args)
        symbol = code.module.math(name, dtype, len(args), code.looping, code.lanes)
        return code.let(f"call {kind} @{symbol}({operands})")
    rule = PRIMITIVES[name].llvm
    if rule is None:
        raise NotImplementedError(f"no native code for the elementwise primitive {name!r}")
    return str(rule(use, *args, **params))


def known(name: str) -> bool:
    """Whether `element` can write this primitive."""
    return name in RULES or name in mathlib.NAMES or PRIMITIVES[name].llvm is not None


def choice(code: Code, dtype: DType, condition: str, yes: str, no: str) -> str:
    """`yes` where the condition holds, else `no`."""
    kind = register_type(code, dtype)
    return code.let(f"select {register_type(code, BOOL)} {condition}, {kind} {yes}, {kind} {no}")


def is_wide(name: str, inputs: Sequence[DType], dtype: DType) -> bool:
    """Whether `element` can write a primitive for all numbers of a register at once."""
    if name in ALONE or (name not in RULES and name not in mathlib.NAMES):
        return False
    if name == "convert":
        return dtype.kind == "f" or inputs[0].kind != "f"
    return name != "integer_power" or dtype.kind == "f"


def arithmetic(code: Code, name: str, dtype: DType, a: str, b: str, flags: str = "") -> str:
    """add, sub or mul of two values."""
    prefix = "f" if dtype.kind == "f" else ""
    contract = f"contract {flags}" if prefix else ""
    return code.let(f"{prefix}{name} {contract}{register_type(code, dtype)} {a}, {b}")


def is_number(value: str) -> bool:
    """Whether a float is a constant, and not NaN."""
    if value.startswith("%"):
        return False
    bits = int(value.split()[-1].rstrip(")"), 16)
    return not np.isnan(np.frombuffer(bits.to_bytes(8, "little"))[0])


def extremum(code: Code, name: str, dtype: DType, a: str, b: str) -> str:
    """max or min of two values; NaN wins, as in NumPy."""
    if dtype.kind == "f":
        for x, bound in ((a, b), (b, a)):
            # One instruction: of a number and what may be NaN it takes the latter.
            if is_number(bound):
                word = "ogt" if name == "max" else "olt"
                beyond = code.let(f"fcmp {word} {register_type(code, dtype)} {bound}, {x}")
                return choice(code, dtype, beyond, bound, x)
        return code.intrinsic("maximum" if name == "max" else "minimum", dtype, a, b)
    if dtype.kind == "b":
        return code.let(f"{'or' if name == 'max' else 'and'} {register_type(code, dtype)} {a}, {b}")
    return code.intrinsic(("u" if dtype.kind == "u" else "s") + name, dtype, a, b)


def compare(code: Code, name: str, dtype: DType, a: str, b: str) -> str:
    """A comparison of two values of one dtype."""
    word = {
        "equal": "eq",
        "not_equal": "ne",
        "less": "lt",
        "less_equal": "le",
        "greater": "gt",
        "greater_equal": "ge",
    }
    short = word[name]
    if dtype.kind == "f":
        return code.let(
            f"fcmp {'u' if short == 'ne' else 'o'}{short} {register_type(code, dtype)} {a}, {b}"
        )
    sign = "" if short in ("eq", "ne") else "s" if dtype.kind == "i" else "u"
    return code.let(f"icmp {sign}{short} {register_type(code, dtype)} {a}, {b}")


def convert(code: Code, source: DType, target: DType, x: str) -> str:
    """A cast with NumPy's meaning; floats that do not fit an integer give what x86 gives."""
    if source == target:
        return x
    a, b = register_type(code, source), register_type(code, target)
    if target.kind == "b":
        test = "fcmp une" if source.kind == "f" else "icmp ne"
        return code.let(f"{test} {a} {x}, {in_each_lane(code, 0, source)}")
    if source.kind == "f" and target.kind == "f":
        return code.let(
            f"{'fpext' if target.itemsize > source.itemsize else 'fptrunc'} {a} {x} to {b}"
        )
    if source.kind == "f":
        return _float_to_integer(code, source, target, x)
    if target.kind == "f":
        return code.let(f"{'sitofp' if source.kind == 'i' else 'uitofp'} {a} {x} to {b}")
    if a == b:
        return x
    if source.kind != "b" and source.itemsize > target.itemsize:
        return code.let(f"trunc {a} {x} to {b}")
    return code.let(f"{'sext' if source.kind == 'i' else 'zext'} {a} {x} to {b}")


def _float_to_integer(code: Code, source: DType, target: DType, x: str) -> str:
    """x86 has one signed conversion, which gives the smallest integer for what does not fit."""
    if target.kind == "i":
        return _truncate(code, source, target.itemsize * 8, x)
    low = _truncate(code, source, 64, x)
    kind = register_type(code, source)
    if target.itemsize == 4:
        return code.let(f"trunc i64 {low} to i32")
    half = in_each_lane(code, 2.0**63, source)
    large = code.let(f"fcmp oge {kind} {x}, {half}")
    rest = _truncate(code, source, 64, code.let(f"fsub {kind} {x}, {half}"))
    high = code.let(f"xor i64 {rest}, {-(2**63)}")
    return code.let(f"select i1 {large}, i64 {high}, i64 {low}")


def _truncate(code: Code, source: DType, bits: int, x: str) -> str:
    kind, bound = register_type(code, source), in_each_lane(code, 2.0 ** (bits - 1), source)
    size = code.intrinsic("fabs", source, x)
    fits = code.let(f"fcmp olt {kind} {size}, {bound}")
    safe = code.let(f"select i1 {fits}, {kind} {x}, {kind} {in_each_lane(code, 0, source)}")
    whole = code.let(f"fptosi {kind} {safe} to i{bits}")
    return code.let(f"select i1 {fits}, i{bits} {whole}, i{bits} {-(2 ** (bits - 1))}")


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def enter(rule: Rule) -> Rule:
        for name in names:
            RULES[name] = rule
        return rule

    return enter


def _named(name: str, function: Callable[..., str]) -> None:
    RULES[name] = lambda u, a, b: function(u.code, name, u.operand, a, b)


for _name in ("add", "sub", "mul"):
    _named(_name, arithmetic)
for _name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    _named(_name, compare)
for _name in ("max", "min"):
    _named(_name, extremum)
for _name in ("and", "or", "xor"):
    RULES[_name] = lambda u, a, b, op=_name: u.code.let(f"{op} {u.kind} {a}, {b}")
for _name in ("floor", "ceil", "rint", "sqrt"):
    RULES[_name] = lambda u, x, op=_name: u.code.intrinsic(op, u.operand, x)
RULES["div"] = lambda u, a, b: u.code.let(f"fdiv {u.kind} {a}, {b}")
RULES["square"] = lambda u, x: arithmetic(u.code, "mul", u.operand, x, x)
RULES["where"] = lambda u, c, x, y: u.select(c, x, y)
RULES["convert"] = lambda u, x: convert(u.code, u.operand, u.dtype, x)
RULES["stop_gradient"] = lambda u, x: x
RULES["isnan"] = lambda u, x: u.code.let(f"fcmp uno {u.kind} {x}, {x}")
RULES["not"] = lambda u, x: u.code.let(f"xor {u.kind} {x}, {u.number(-1)}")


@_rule("neg")
def _neg(u: Element, x: str) -> str:
    if u.operand.kind == "f":
        return u.code.let(f"fneg {u.kind} {x}")
    return u.code.let(f"sub {u.kind} {u.number(0)}, {x}")


@_rule("abs")
def _abs(u: Element, x: str) -> str:
    if u.operand.kind == "f":
        return u.code.intrinsic("fabs", u.operand, x)
    negative = u.code.let(f"icmp slt {u.kind} {x}, {u.number(0)}")
    return u.select(negative, u.code.let(f"sub {u.kind} {u.number(0)}, {x}"), x)


@_rule("sign")
def _sign(u: Element, x: str) -> str:
    """±1, 0 at zero, NaN for NaN."""
    zero, positive = u.number(0), compare(u.code, "greater", u.operand, x, u.number(0))
    negative = compare(u.code, "less", u.operand, x, zero)
    other = u.select(negative, u.number(-1), zero)
    signed = u.select(positive, u.number(1), other)
    if u.operand.kind != "f":
        return signed
    return u.select(u.code.let(f"fcmp uno {u.kind} {x}, {x}"), x, signed)


@_rule("isfinite")
def _isfinite(u: Element, x: str) -> str:
    size = u.code.intrinsic("fabs", u.operand, x)
    return u.code.let(f"fcmp olt {u.kind} {size}, {u.number(np.inf)}")


@_rule("guarded_mul")
def _guarded_mul(u: Element, c: str, p: str) -> str:
    zero = compare(u.code, "equal", u.operand, c, u.number(0))
    return u.select(zero, u.number(0), u.code.let(f"fmul {u.kind} {c}, {p}"))


@_rule("integer_power")
def _integer_power(u: Element, x: str) -> str:
    """Repeated squaring; a negative exponent takes the reciprocal at the end."""
    exponent = u.params["exponent"]
    result, base, rest = "", x, abs(exponent)
    while rest:
        if rest & 1:
            result = arithmetic(u.code, "mul", u.operand, result, base) if result else base
        rest >>= 1
        base = arithmetic(u.code, "mul", u.operand, base, base) if rest else base
    result = result or u.number(1)
    if exponent >= 0:
        return result
    if u.operand.kind == "f":
        return u.code.let(f"fdiv {u.kind} {u.number(1)}, {result}")
    wide = np.dtype(np.float64)
    inverse = u.code.let(
        f"fdiv double {constant(1, wide)}, {convert(u.code, u.operand, wide, result)}"
    )
    return convert(u.code, wide, u.operand, inverse)


@_rule("floor_div")
def _floor_div(u: Element, a: str, b: str) -> str:
    """NumPy's: rounds down; 0 for a zero divisor."""
    quotient, _, zero = _divided(u, a, b)
    return u.select(zero, "0", quotient)


@_rule("remainder")
def _remainder(u: Element, a: str, b: str) -> str:
    """NumPy's: has the divisor's sign; 0 for a zero divisor."""
    _, rest, zero = _divided(u, a, b)
    return u.select(zero, "0", rest)


def _divided(u: Element, a: str, b: str) -> tuple[str, str, str]:
    """Floor quotient, its remainder, and whether the divisor is zero, without the traps of x86."""
    code, kind = u.code, u.kind
    zero = code.let(f"icmp eq {kind} {b}, 0")
    if u.operand.kind == "u":
        safe = u.select(zero, "1", b)
        return code.let(f"udiv {kind} {a}, {safe}"), code.let(f"urem {kind} {a}, {safe}"), zero
    minus = code.let(f"icmp eq {kind} {b}, -1")
    safe = u.select(code.let(f"or i1 {zero}, {minus}"), "1", b)
    whole, rest = code.let(f"sdiv {kind} {a}, {safe}"), code.let(f"srem {kind} {a}, {safe}")
    mixed = code.let(f"icmp slt {kind} {code.let(f'xor {kind} {rest}, {safe}')}, 0")
    down = code.let(f"and i1 {mixed}, {code.let(f'icmp ne {kind} {rest}, 0')}")
    floored = u.select(down, code.let(f"sub {kind} {whole}, 1"), whole)
    rest = u.select(down, code.let(f"add {kind} {rest}, {safe}"), rest)
    return u.select(minus, code.let(f"sub {kind} 0, {a}"), floored), rest, zero


@_rule("shift_left")
def _shift_left(u: Element, a: str, b: str) -> str:
    inside, count = _shift_count(u, b)
    return u.select(inside, u.code.let(f"shl {u.kind} {a}, {count}"), u.number(0))


@_rule("shift_right")
def _shift_right(u: Element, a: str, b: str) -> str:
    """Keeps the sign of signed integers; a count beyond the width leaves only it."""
    inside, count = _shift_count(u, b)
    if u.operand.kind == "u":
        return u.select(inside, u.code.let(f"lshr {u.kind} {a}, {count}"), u.number(0))
    beyond = u.code.let(f"ashr {u.kind} {a}, {u.number(8 * u.operand.itemsize - 1)}")
    return u.select(inside, u.code.let(f"ashr {u.kind} {a}, {count}"), beyond)


def _shift_count(u: Element, b: str) -> tuple[str, str]:
    inside = u.code.let(f"icmp ult {u.kind} {b}, {u.number(8 * u.operand.itemsize)}")
    return inside, u.select(inside, b, u.number(0))


@_rule("bitcast")
def _bitcast(u: Element, x: str) -> str:
    source, target = u.kind, register_type(u.code, u.dtype)
    return x if source == target else u.code.let(f"bitcast {source} {x} to {target}")

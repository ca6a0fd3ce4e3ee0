"""A notation in which a mathematical function reads as mathematics and writes LLVM IR."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

from llvmlite import ir

from bayesdl._base.dataclass import dataclass

Number = float | int

LONG_POLYNOMIAL = 6  # terms from which even and odd powers are summed apart


class Several(ir.VectorType):  # type: ignore[misc]
    """Several numbers in a register; the text of a constant has its number once."""

    @property
    def intrinsic_name(self) -> str:
        """As LLVM's own functions are called."""
        return f"v{self.count}{self.element.intrinsic_name}"

    def format_constant(self, value: Sequence[ir.Constant]) -> str:
        """All numbers of a constant are the same."""
        return f"splat ({value[0].type} {value[0].get_reference()})"


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format: what bit arithmetic on it needs to know."""

    type: ir.Type
    bits_type: ir.Type
    suffix: str
    width: int
    mantissa: int
    bias: int

    def several(self, count: int) -> Format:
        """So many numbers of this format at once."""
        kinds = Several(self.type, count), Several(self.bits_type, count)
        return replace(self, type=kinds[0], bits_type=kinds[1], suffix=f"v{count}{self.suffix}")

    @property
    def shift(self) -> float:
        """1.5·2^mantissa: adding it rounds to an integer, and puts that into the low bits."""
        return 1.5 * 2.0**self.mantissa

    @property
    def min_normal(self) -> float:
        """The smallest normal number."""
        return float(2.0 ** (1 - self.bias))

    def bits_of(self, value: float) -> int:
        """The bit pattern of a value, as an unsigned integer."""
        code = ("<d", "<Q") if self.mantissa == 52 else ("<f", "<I")
        return int(struct.unpack(code[1], struct.pack(code[0], value))[0])


DOUBLE = Format(ir.DoubleType(), ir.IntType(64), "f64", 64, mantissa=52, bias=1023)
SINGLE = Format(ir.FloatType(), ir.IntType(32), "f32", 32, mantissa=23, bias=127)


class Formula:
    """The function being written: where instructions go, and the format they compute in.

    Parameters
    ----------
    module : ir.Module
        The module that receives the function.
    builder : ir.IRBuilder
        Placed at the end of the function's only block.
    format : Format
        The format of every `Real` that this formula makes.
    coarse : bool
        Whether the result will be rounded from double to single, so that a relative error of 2⁻³⁰
        is enough.
    """

    __slots__ = ("builder", "coarse", "format", "module")

    def __init__(
        self, module: ir.Module, builder: ir.IRBuilder, format: Format, *, coarse: bool = False
    ) -> None:
        self.module, self.builder, self.format, self.coarse = module, builder, format, coarse

    @property
    def double(self) -> bool:
        """Whether the formula computes in double precision."""
        return self.format.mantissa == DOUBLE.mantissa

    def real(self, value: Number) -> Real:
        """A floating-point constant."""
        return Real(self, ir.Constant(self.format.type, float(value)))

    def bits(self, value: int) -> Bits:
        """An integer constant of the width of a `Real`, taken modulo 2^width."""
        width = self.format.width
        value &= (1 << width) - 1
        signed = value - (1 << width) if value >> (width - 1) else value
        return Bits(self, ir.Constant(self.format.bits_type, signed))

    def bits_of(self, value: float) -> Bits:
        """The bit pattern of a constant."""
        return self.bits(self.format.bits_of(value))

    def select(self, mask: Mask, yes: Real | Number, no: Real | Number) -> Real:
        """`yes` where the mask holds, else `no`; both are computed."""
        yes, no = self._coerce(yes), self._coerce(no)
        return Real(self, self.builder.select(mask.value, yes.value, no.value))

    def muladd(self, a: Real | Number, b: Real | Number, c: Real | Number) -> Real:
        """a·b + c, rounded once or twice, whichever is faster: for steps where both are right."""
        return self._intrinsic("llvm.fmuladd", self._coerce(a), self._coerce(b), self._coerce(c))

    def sqrt(self, x: Real) -> Real:
        """√x, correctly rounded; NaN for x < 0."""
        return self._intrinsic("llvm.sqrt", x)

    def absolute(self, x: Real) -> Real:
        """|x|."""
        return self._intrinsic("llvm.fabs", x)

    def copysign(self, magnitude: Real, sign: Real) -> Real:
        """|magnitude| with the sign of `sign`."""
        return self._intrinsic("llvm.copysign", magnitude, sign)

    def flip(self, x: Real, sign: Real) -> Real:
        """x, negated where `sign` has its sign bit set."""
        top = self.bits(1 << (self.format.width - 1))
        return (x.bits() ^ (sign.bits() & top)).real()

    def at_least(self, x: Real, bound: Number) -> Real:
        """max(x, bound), NaN kept."""
        return self.select(x < bound, bound, x)

    def at_most(self, x: Real, bound: Number) -> Real:
        """min(x, bound), NaN kept."""
        return self.select(x > bound, bound, x)

    def round(self, x: Real) -> Real:
        """The nearest integer, ties to even, for |x| < 2^(mantissa-1)."""
        return (x + self.format.shift) - self.format.shift

    def polynomial(self, x: Real, coefficients: Sequence[Number | Real]) -> Real:
        """Σ cᵢ xⁱ, coefficients from the constant term up.

        After the constant, even and odd powers are summed apart, each by Horner's rule in x²: a
        long chain of operations that wait for one another becomes two of half the length.
        """
        if len(coefficients) < LONG_POLYNOMIAL:
            return self._horner(x, coefficients)
        square, rest = x * x, coefficients[1:]
        odd, even = self._horner(square, rest[1::2]), self._horner(square, rest[::2])
        return self.muladd(self.muladd(odd, x, even), x, coefficients[0])

    def _horner(self, x: Real, coefficients: Sequence[Number | Real]) -> Real:
        total = self._coerce(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = self.muladd(total, x, c)
        return total

    def two_sum(self, a: Real, b: Real) -> tuple[Real, Real]:
        """s + e = a + b exactly, s = fl(a + b) (Knuth 1969)."""
        s = a + b
        t = s - a
        return s, (a - (s - t)) + (b - t)

    def fast_two_sum(self, a: Real, b: Real) -> tuple[Real, Real]:
        """As `two_sum`, for |a| ≥ |b| or a = 0 (Dekker 1971)."""
        s = a + b
        return s, b - (s - a)

    def split(self, x: Real) -> tuple[Real, Real]:
        """x = high + low exactly, high with the leading half of the bits: cannot overflow."""
        drop = (self.format.mantissa + 2) // 2
        high = (x.bits() & self.bits(-(1 << drop))).real()
        return high, x - high

    def two_product(self, a: Real, b: Real) -> tuple[Real, Real]:
        """p + e = a·b, p = fl(a·b), e exact but for its last bit (Dekker 1971); needs no FMA."""
        p = a * b
        ah, al = self.split(a)
        bh, bl = self.split(b)
        return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl

    def _coerce(self, x: Real | Number) -> Real:
        return x if isinstance(x, Real) else self.real(x)

    def _intrinsic(self, name: str, *args: Real) -> Real:
        signature = ir.FunctionType(self.format.type, [self.format.type] * len(args))
        function = self.module.declare_intrinsic(name, [self.format.type], signature)
        return Real(self, self.builder.call(function, [a.value for a in args]))


@dataclass(frozen=True, slots=True, eq=False)
class Real:
    """A floating-point value in a formula; a Python number beside it becomes a constant."""

    formula: Formula
    value: ir.Value

    def __add__(self, other: Real | Number) -> Real:
        return self._binary("fadd", self, other)

    def __radd__(self, other: Number) -> Real:
        return self._binary("fadd", other, self)

    def __sub__(self, other: Real | Number) -> Real:
        return self._binary("fsub", self, other)

    def __rsub__(self, other: Number) -> Real:
        return self._binary("fsub", other, self)

    def __mul__(self, other: Real | Number) -> Real:
        return self._binary("fmul", self, other)

    def __rmul__(self, other: Number) -> Real:
        return self._binary("fmul", other, self)

    def __truediv__(self, other: Real | Number) -> Real:
        return self._binary("fdiv", self, other)

    def __rtruediv__(self, other: Number) -> Real:
        return self._binary("fdiv", other, self)

    def __neg__(self) -> Real:
        return Real(self.formula, self.formula.builder.fneg(self.value))

    def __lt__(self, other: Real | Number) -> Mask:
        return self._compare("<", other)

    def __le__(self, other: Real | Number) -> Mask:
        return self._compare("<=", other)

    def __gt__(self, other: Real | Number) -> Mask:
        return self._compare(">", other)

    def __ge__(self, other: Real | Number) -> Mask:
        return self._compare(">=", other)

    def equals(self, other: Real | Number) -> Mask:
        """Where both are equal (never for NaN). `==` is left to Python's identity."""
        return self._compare("==", other)

    def is_nan(self) -> Mask:
        """Where the value is NaN."""
        value = self.formula.builder.fcmp_unordered("uno", self.value, self.value)
        return Mask(self.formula, value)

    def is_odd(self) -> Mask:
        """Where the value is an odd integer; right at every magnitude, false for infinities."""
        return (self * 0.5).is_fractional() & ~self.is_fractional()

    def is_fractional(self) -> Mask:
        """Where the value is not an integer; false for infinities."""
        return self._differs(self.formula._intrinsic("llvm.rint", self))

    def bits(self) -> Bits:
        """The bit pattern."""
        f = self.formula
        return Bits(f, f.builder.bitcast(self.value, f.format.bits_type))

    def _binary(self, name: str, a: Real | Number, b: Real | Number) -> Real:
        f = self.formula
        instruction = getattr(f.builder, name)
        return Real(f, instruction(f._coerce(a).value, f._coerce(b).value))

    def _compare(self, operator: str, other: Real | Number) -> Mask:
        f = self.formula
        return Mask(f, f.builder.fcmp_ordered(operator, self.value, f._coerce(other).value))

    def _differs(self, other: Real) -> Mask:
        return self._compare("!=", other)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A truth value in a formula."""

    formula: Formula
    value: ir.Value

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.formula, self.formula.builder.and_(self.value, other.value))

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.formula, self.formula.builder.or_(self.value, other.value))

    def __xor__(self, other: Mask) -> Mask:
        return Mask(self.formula, self.formula.builder.xor(self.value, other.value))

    def __invert__(self) -> Mask:
        return Mask(self.formula, self.formula.builder.not_(self.value))


@dataclass(frozen=True, slots=True, eq=False)
class Bits:
    """An integer of the width of a `Real`, in wrapping unsigned arithmetic."""

    formula: Formula
    value: ir.Value

    def __add__(self, other: Bits) -> Bits:
        return Bits(self.formula, self.formula.builder.add(self.value, other.value))

    def __sub__(self, other: Bits) -> Bits:
        return Bits(self.formula, self.formula.builder.sub(self.value, other.value))

    def __and__(self, other: Bits) -> Bits:
        return Bits(self.formula, self.formula.builder.and_(self.value, other.value))

    def __or__(self, other: Bits) -> Bits:
        return Bits(self.formula, self.formula.builder.or_(self.value, other.value))

    def __xor__(self, other: Bits) -> Bits:
        return Bits(self.formula, self.formula.builder.xor(self.value, other.value))

    def __lshift__(self, count: int) -> Bits:
        shifted = self.formula.builder.shl(self.value, self.formula.bits(count).value)
        return Bits(self.formula, shifted)

    def __rshift__(self, count: int) -> Bits:
        shifted = self.formula.builder.lshr(self.value, self.formula.bits(count).value)
        return Bits(self.formula, shifted)

    def has(self, bit: int) -> Mask:
        """Where the bit of this weight is set."""
        f = self.formula
        masked = f.builder.and_(self.value, f.bits(bit).value)
        return Mask(f, f.builder.icmp_unsigned("!=", masked, f.bits(0).value))

    def real(self) -> Real:
        """The floating-point value with this bit pattern."""
        f = self.formula
        return Real(f, f.builder.bitcast(self.value, f.format.type))

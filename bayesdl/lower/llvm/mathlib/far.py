"""Circular functions of huge angles, beside code for usual ones that pays one comparison for them.

An angle beyond 2³⁰ needs those of the 1200 bits of 2/π that its exponent leaves in the fraction of
a quarter turn (Payne & Hanek 1983). To look them up for every element would double the cost of a
sine, so it is done apart. `bdl.far` is a call that LLVM's loop vectoriser replaces by one of its
variants for several elements; they are written out once the loop has been widened, and jump only
where some element is far.
"""

from __future__ import annotations

from llvmlite import ir

from .circular import THERE, cosine, sine
from .formula import DOUBLE, Bits, Formula, Real

FAR = "bdl.far"
LARGEST_NEAR = 2.0**30
# Elements at once that a loop may be widened to.
WIDTHS = (2, 4, 8)
# The bits of 2/π behind 64 zeros, enough for the largest exponent.
TWO_OVER_PI = (
    0x0000000000000000,
    0xA2F9836E4E441529,
    0xFC2757D1F534DDC0,
    0xDB6295993C439041,
    0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0,
    0x06492EEA09D1921C,
    0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484,
    0xE99C7026B45F7E41,
    0x3991D639835339F4,
    0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F,
    0xEF2F118B5A0A6D1F,
    0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B,
    0x3D0739F78A5292EA,
    0x6BFB5FB11F8D5D08,
    0x56033046FC7B6BAB,
)
HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
I64, I128 = ir.IntType(64), ir.IntType(128)
DOUBLE_TYPE = DOUBLE.type
PURE = "nounwind willreturn memory(none)"
SLOW = f"noinline cold {PURE}"


def with_far(f: Formula, name: str, a: Real, near: Real) -> Real:
    """`near` where a ≤ 2³⁰ or a is NaN, else the function of this name at a, in double precision.

    Parameters
    ----------
    f : Formula
        In double precision.
    name : {"sin", "cos", "tan"}
    a, near : Real
        The angle, not negative, and what was found for it as if it were near.
    """
    function = f.module.globals.get(FAR) or _family(f.module)
    kind = ir.Constant(I64, list(THERE).index(name))
    return Real(f, f.builder.call(function, [kind, a.value, near.value]))


class _Family(ir.Function):  # type: ignore[misc]
    """`bdl.far` with its variants, which llvmlite has no words for: a function given as text."""

    def descr(self, buf: list[str]) -> None:
        """Append the text."""
        buf.append(_text())

    @property
    def is_declaration(self) -> bool:
        """No."""
        return False


def _family(module: ir.Module) -> ir.Function:
    _define_beyond(module)
    signature = ir.FunctionType(DOUBLE_TYPE, [I64, DOUBLE_TYPE, DOUBLE_TYPE])
    return _Family(module, signature, name=FAR)


def _text() -> str:
    """The scalar function, its variants, and what keeps all as they are until loops are widened."""
    names = [f"{FAR}.v{n}" for n in WIDTHS]
    mapping = ",".join(
        f"_ZGV_LLVM_N{n}vvv_{FAR}({name})" for n, name in zip(WIDTHS, names, strict=True)
    )
    kept = ", ".join(f"ptr @{name}" for name in (FAR, *names))
    scalar = _jump(
        FAR, 1, f'noinline {PURE} "vector-function-abi-variant"="{mapping}"', f"{FAR}.beyond"
    )
    variants = [
        _jump(name, n, f"alwaysinline {PURE}", f"{name}.apart") + _apart(name, n)
        for n, name in zip(WIDTHS, names, strict=True)
    ]
    return (
        f"@llvm.compiler.used = appending global [{len(names) + 1} x ptr] [{kept}], "
        'section "llvm.metadata"\n' + scalar + "".join(variants)
    )


def _kinds(lanes: int) -> tuple[str, str]:
    return ("i64", "double") if lanes == 1 else (f"<{lanes} x i64>", f"<{lanes} x double>")


def _jump(name: str, lanes: int, attributes: str, beyond: str) -> str:
    """What every element pays: a comparison, and a branch for the whole register."""
    kind, real = _kinds(lanes)
    limit = f"0x{DOUBLE.bits_of(LARGEST_NEAR):016X}"
    limits = limit if lanes == 1 else f"splat (double {limit})"
    some, given = "%far", f"{kind} %kind, {real} %a, {real} %near"
    # The masked end of a loop leaves lanes without a value, on which no jump may depend.
    test = f"  %sure = freeze {real} %a\n  %far = fcmp ogt {real} %sure, {limits}\n"
    if lanes > 1:
        some = "%some"
        test += f"  %some = call i1 @llvm.vector.reduce.or.v{lanes}i1(<{lanes} x i1> %far)\n"
    likely = f"  %seldom = call i1 @llvm.expect.i1(i1 {some}, i1 false)\n"
    return f"""define internal {real} @{name}({given}) {attributes} {{
entry:
{test}{likely}  br i1 %seldom, label %beyond, label %end
beyond:
  %found = call {real} @{beyond}({given})
  br label %end
end:
  %result = phi {real} [ %near, %entry ], [ %found, %beyond ]
  ret {real} %result
}}
"""


def _apart(name: str, lanes: int) -> str:
    """One element after the other. Not through the scalar function: LLVM would widen that again."""
    kind, real = _kinds(lanes)
    limits = f"splat (double 0x{DOUBLE.bits_of(LARGEST_NEAR):016X})"
    lines, last = [], "poison"
    for i in range(lanes):
        lines += [
            f"  %k{i} = extractelement {kind} %kind, i64 {i}",
            f"  %a{i} = extractelement {real} %safe, i64 {i}",
            f"  %y{i} = call double @{FAR}.beyond(i64 %k{i}, double %a{i}, double poison)",
            f"  %r{i} = insertelement {real} {last}, double %y{i}, i64 {i}",
        ]
        last = f"%r{i}"
    body = "\n".join(lines)
    masks = f"<{lanes} x i1> %far"
    return f"""define internal {real} @{name}.apart({kind} %kind, {real} %a, {real} %near) {SLOW} {{
  %sure = freeze {real} %a
  %far = fcmp ogt {real} %sure, {limits}
  %safe = select {masks}, {real} %sure, {real} {limits}
{body}
  %result = select {masks}, {real} {last}, {real} %near
  ret {real} %result
}}
"""


def _define_beyond(module: ir.Module) -> None:
    """`bdl.far.beyond`: a circular function of an angle above 2³⁰; NaN for infinity."""
    bits = ir.GlobalVariable(module, ir.ArrayType(I64, len(TWO_OVER_PI)), f"{FAR}.bits")
    bits.linkage, bits.global_constant, bits.unnamed_addr = "internal", True, True
    bits.initializer = ir.Constant(bits.value_type, TWO_OVER_PI)
    signature = ir.FunctionType(DOUBLE_TYPE, [I64, DOUBLE_TYPE, DOUBLE_TYPE])
    function = ir.Function(module, signature, name=f"{FAR}.beyond")
    function.linkage = "internal"
    for attribute in ("noinline", "cold", "nounwind", "readnone"):
        function.attributes.add(attribute)
    f = Formula(module, ir.IRBuilder(function.append_basic_block("entry")), DOUBLE)
    kind, a = function.args[0], Real(f, function.args[1])
    quarter, r, low = _reduce(f, a)
    s, c = sine(f, r, low), cosine(f, r, low)
    found = f.real(float("nan"))
    for k, there in enumerate(THERE.values()):
        chosen = f.builder.icmp_unsigned("==", kind, ir.Constant(I64, k))
        found = Real(f, f.builder.select(chosen, there(f, s, c, quarter).value, found.value))
    f.builder.ret(f.select(a.equals(float("inf")), float("nan"), found).value)


def _reduce(f: Formula, a: Real) -> tuple[Bits, Real, Real]:
    """The nearest quarter turn modulo 4, and what is left of a as high + low.

    a = m·2ᵉ with a whole m < 2⁵³. Of 2/π count the bits from weight 2¹⁻ᵉ down, for those above give
    multiples of four quarter turns: W, 192 of them. m·W modulo 2¹⁹² is the angle in quarter turns
    with 190 bits of fraction. No double is nearer than 2⁻⁶² to a multiple of a quarter turn, so of
    its upper 128 bits at least 64 are right after the leading one.
    """
    b, turn = f.builder, _fraction(f, a)
    rounded = b.add(turn, ir.Constant(I128, 1 << 125))
    quarter = b.trunc(b.lshr(rounded, ir.Constant(I128, 126)), I64)
    rest = b.sub(turn, b.shl(b.zext(quarter, I128), ir.Constant(I128, 126)))
    negative = b.icmp_signed("<", rest, ir.Constant(I128, 0))
    size = b.select(negative, b.neg(rest), rest)
    zeros = b.ctlz(size, ir.Constant(ir.IntType(1), 0))
    whole = b.shl(size, zeros)
    high = _leading(f, whole, 75)
    low = _leading(f, b.shl(whole, ir.Constant(I128, 53)), 75) * 2.0**-53
    # The leading bit, at place 127, stands for 2¹²⁷⁻¹²⁶⁻ᶻᵉʳᵒˢ; it is 2⁵² in `high`.
    exponent = b.sub(ir.Constant(I64, 1023 + 1 - 52), b.trunc(zeros, I64))
    scale = Bits(f, b.shl(exponent, ir.Constant(I64, 52))).real()
    scale = Real(f, b.select(negative, (-scale).value, scale.value))
    p, error = f.two_product(high * scale, f.real(HALF_PI[0]))
    lower = error + (high * scale * HALF_PI[1] + low * scale * HALF_PI[0])
    return Bits(f, quarter), *f.fast_two_sum(p, lower)


def _fraction(f: Formula, a: Real) -> ir.Value:
    """m·W modulo 2¹⁹², its upper 128 bits."""
    b, bits = f.builder, a.bits()
    mantissa = ((bits & f.bits((1 << 52) - 1)) | f.bits(1 << 52)).value
    # Bit k of 2/π, of weight 2⁻ᵏ, stands at 63 + k in the table; e is the exponent field - 1075.
    start = ((bits >> 52) - f.bits(1075 - 62)).value
    first, shift = b.lshr(start, ir.Constant(I64, 6)), b.and_(start, ir.Constant(I64, 63))
    table = f.module.globals[f"{FAR}.bits"]
    words = []
    for k in range(4):
        place = b.add(first, ir.Constant(I64, k))
        words.append(b.load(b.gep(table, [ir.Constant(I64, 0), place], inbounds=True)))
    turned = f.module.declare_intrinsic("llvm.fshl", [I64], ir.FunctionType(I64, [I64, I64, I64]))
    window = [b.call(turned, [words[k], words[k + 1], shift]) for k in range(3)]
    m = b.zext(mantissa, I128)
    top = b.shl(b.mul(m, b.zext(window[0], I128)), ir.Constant(I128, 64))
    middle = b.mul(m, b.zext(window[1], I128))
    bottom = b.lshr(b.mul(m, b.zext(window[2], I128)), ir.Constant(I128, 64))
    return b.add(b.add(top, middle), bottom)


def _leading(f: Formula, value: ir.Value, drop: int) -> Real:
    """The leading 53 bits of 128 as a number."""
    b = f.builder
    head = b.trunc(b.lshr(value, ir.Constant(I128, drop)), I64)
    return Real(f, b.sitofp(head, DOUBLE_TYPE))

"""Every primitive as native code; what a Program may return; Programs shared by several places."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from bayesdl._base.errors import CompileError
from bayesdl._base.source import Source
from bayesdl.ir.primitive import PRIMITIVES, Case, Primitive
from bayesdl.ir.program import Equation, Program, Var
from bayesdl.ir.text import from_text
from bayesdl.ir.types import ArrayType, parse_type
from bayesdl.lower.llvm import compile_program, emitted_text

NOTHING = np.dtype(np.float64)


def program_of(primitive: Primitive, case: Case) -> Program:
    inputs = tuple(Var(parse_type(t)) for t in case.types)
    types = primitive.type(*(v.type for v in inputs), **case.params)
    outputs = tuple(Var(t) for t in types)
    return Program("case", inputs, (Equation(primitive, inputs, case.params, outputs),), outputs)


def inputs_of(primitive: Primitive, case: Case) -> list[np.ndarray]:
    rng = np.random.default_rng(zlib.crc32(f"{primitive.name}{case.types}".encode()))
    given = case.values or (None,) * len(case.types)
    pairs = case.domain if isinstance(case.domain[0], tuple) else (case.domain,) * len(given)
    return [
        np.asarray(drawn(rng, parse_type(t), *d) if v is None else v, parse_type(t).dtype)
        for t, v, d in zip(case.types, given, pairs, strict=True)
    ]


def drawn(rng: np.random.Generator, kind: ArrayType, low: float, high: float) -> np.ndarray:
    if kind.dtype.kind in "iu":
        return rng.integers(0 if kind.dtype.kind == "u" else low, high + 1, kind.shape)
    return (
        rng.random(kind.shape) < 0.5
        if kind.dtype.kind == "b"
        else rng.uniform(low, high, kind.shape)
    )


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_cases(name: str, same) -> None:
    primitive = PRIMITIVES[name]
    for case in primitive.cases:
        same(program_of(primitive, case), *inputs_of(primitive, case))


def test_outputs_that_are_inputs_literals_and_twice_the_same(same) -> None:
    found = same(
        """program f(%a: f64[2], %s: i32[]):
  %b: f64[2] = neg %a
  %c: f64[1,2] = reshape %b shape=(1,2)
  return %a %b %b %c %s 2.5e0:f64 true:bool %a %s""",
        [1.0, 2.0],
        7,
    )
    assert [o.tolist() for o in found[4:7]] == [7, 2.5, True]


@pytest.mark.parametrize("shape", ["0", "0,3", "3,0"])
def test_nothing_at_all(same, shape: str) -> None:
    same(
        f"""program f(%a: f64[{shape}]):
  %b: f64[{shape}] = exp %a
  %c: f64[] = reduce_sum %b axes={"(0)" if shape == "0" else "(0,1)"}
  %d: f64[{shape}] = add %b %a
  return %c %d""",
        np.zeros([int(n) for n in shape.split(",")]),
    )


def test_no_inputs_and_no_outputs(same) -> None:
    same("program f():\n  return")
    same("program f():\n  return 1.0e0:f64")
    same("program f(%a: f64[3]):\n  return", np.ones(3))


@pytest.mark.parametrize("size", [3, 40])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint64, np.bool_])
def test_constants_in_the_code_and_in_the_table(same, size: int, dtype: type) -> None:
    """Read by a loop, returned as it is, and used inside a body."""
    value = (np.arange(size) * 7 % 5 - (2 if np.dtype(dtype).kind == "f" else 0)).astype(dtype)
    kind = ArrayType((size,), np.dtype(dtype))
    table, chosen, flags = Var(kind), Var(kind), Var(ArrayType((size,), np.dtype(bool)))
    equations = (
        Equation(PRIMITIVES["constant"], (), {"value": value}, (table,)),
        Equation(PRIMITIVES["where"], (flags, table, table), {}, (chosen,)),
    )
    same(Program("f", (flags,), equations, (table, chosen, table)), np.arange(size) % 2 == 0)


def test_a_program_used_twice_is_emitted_once(same) -> None:
    inner = "".join(f"\n  %{c}: f64[3] = sin %{p}" for p, c in zip("abcdef", "bcdefg", strict=True))
    body = "{\nprogram g(%a: f64[3], %z: f64[]):" + inner + "\n  return %g %z %a\n}"
    text = f"""program f(%a: f64[3], %s: f64[]):
  %b: f64[3], %c: f64[], %h: f64[3] = call %a %s program={body}
  return %b %c %h"""
    once = from_text(text)
    call = once.equations[0]
    again = tuple(Var(v.type) for v in call.outputs)
    second = Equation(call.primitive, call.outputs[:2], call.params, again)
    twice = Program("f", once.inputs, (call, second), again)
    same(twice, [0.1, 0.2, 0.3], 0.5)
    code = emitted_text(twice)
    assert code.count("define internal { double } @program") == 1
    assert code.count("call { double } @program") == 2
    assert "@program" not in emitted_text(once)


def test_a_primitive_without_native_code_is_named() -> None:
    kind = ArrayType((3,), NOTHING)
    odd = Primitive("odd", type=lambda x: (x,), numpy=np.copy)
    x, y = Var(kind), Var(kind)
    source = Source("model.py", 12)
    program = Program("f", (x,), (Equation(odd, (x,), {}, (y,), source),), (y,))
    with pytest.raises(CompileError, match=r"no native code .* `odd`") as caught:
        compile_program(program)
    assert caught.value.code == "C102"
    assert caught.value.where is source
    assert "%b: f64[3] = odd %a" in str(caught.value)


def test_a_primitive_may_bring_its_own_code(same) -> None:
    """The slot `llvm` of an elementwise primitive."""
    twice = Primitive(
        "twice",
        type=lambda x: (x,),
        numpy=lambda x: 2 * x,
        elementwise=True,
        llvm=lambda use, x: use.code.let(f"fadd {use.kind} {x}, {x}"),
    )
    PRIMITIVES._records["twice"] = twice
    try:
        x, y = (Var(ArrayType((5,), NOTHING)) for _ in range(2))
        same(Program("f", (x,), (Equation(twice, (x,), {}, (y,)),), (y,)), np.arange(5.0))
    finally:
        del PRIMITIVES._records["twice"]


def test_long_chains_do_not_recurse_deeply(same) -> None:
    """Three thousand operations in a row, single and with every value read twice."""
    kind = ArrayType((4,), NOTHING)
    for width in (1, 2):
        first = value = Var(kind)
        equations = []
        for _ in range(3000):
            following = Var(kind)
            name, inputs = ("neg", (value,)) if width == 1 else ("max", (value, value))
            equations.append(Equation(PRIMITIVES[name], inputs, {}, (following,)))
            value = following
        same(Program("chain", (first,), tuple(equations), (value,)), np.arange(4.0))


def test_many_functions_of_small_arrays_are_called() -> None:
    """Written out, each would add a hundred instructions to the module."""

    def chain(length: int, size: int) -> Program:
        lines = [f"  %{'b' * (i + 1)}: f64[{size}] = sin %{'b' * i or 'a'}" for i in range(length)]
        text = "\n".join([f"program f(%a: f64[{size}]):", *lines])
        return from_text(f"{text}\n  return %{'b' * length}")

    assert "@bdl.sin.f64.call" in emitted_text(chain(101, 7))
    for length, size in ((100, 7), (101, 17)):
        assert "@bdl.sin.f64.call" not in emitted_text(chain(length, size))
    x = np.linspace(-3.0, 3.0, 7)
    want = x
    for _ in range(101):
        want = np.sin(want)
    np.testing.assert_allclose(compile_program(chain(101, 7))(x)[0], want, rtol=1e-12)

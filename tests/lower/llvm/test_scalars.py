"""Elementwise code on the values where machines and NumPy have opinions."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import compile_program
from bayesdl.lower.llvm.scalars import known

FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 3.5, 1e30, -1e30, 1e-45, np.inf, -np.inf, np.nan]


def grid(values: list, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(np.array(values, dtype), np.array(values, dtype))
    return a.ravel(), b.ravel()


def apply(same, name: str, dtype: str, *inputs: np.ndarray, gives: str = "", params: str = ""):
    n = inputs[0].size
    heads = ", ".join(f"%{c}: {dtype}[{n}]" for c, _ in zip("ab", inputs, strict=False))
    names = " ".join(f"%{c}" for c, _ in zip("ab", inputs, strict=False))
    text = (
        f"program f({heads}):\n  %r: {gives or dtype}[{n}] = {name} {names} {params}\n  return %r"
    )
    with np.errstate(all="ignore"):
        return same(text, *inputs, rtol=1e-14)[0]


def test_every_elementwise_primitive_is_known() -> None:
    missing = [p.name for p in PRIMITIVES.values() if p.elementwise and not known(p.name)]
    assert not missing


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", ["neg", "abs", "sign", "floor", "ceil", "rint", "square", "sqrt"])
def test_unary_on_special_values(same, name: str, dtype: str) -> None:
    found = apply(same, name, dtype, np.array(FLOATS, {"f64": float, "f32": np.float32}[dtype]))
    assert np.isnan(found[-1])


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_circular_functions_of_huge_angles(same, name: str, dtype: str) -> None:
    """As the interpreter has them, up to the largest number of the format."""
    numpy = {"f64": np.float64, "f32": np.float32}[dtype]
    largest = np.finfo(numpy).max
    sizes = np.geomspace(1e-3, largest / 2, 300)
    x = np.concatenate([sizes, -sizes, [0.0, largest, np.inf, -np.inf, np.nan]]).astype(numpy)
    # Short loops are whole registers and a masked rest, or numbers one by one.
    for count in (x.size, 1, 3, 6, 11, 29):
        kind, some = f"{dtype}[{count}]", x[::-37][:count] if count < x.size else x
        text = f"program f(%a: {kind}):\n  %r: {kind} = {name} %a\n  return %r"
        with np.errstate(all="ignore"):
            same(text, np.resize(some, count), rtol=8 * np.finfo(numpy).eps)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", ["max", "min", "div", "guarded_mul", "add", "mul"])
def test_binary_on_special_values(same, name: str, dtype: str) -> None:
    apply(same, name, dtype, *grid(FLOATS, {"f64": float, "f32": np.float32}[dtype]))


@pytest.mark.parametrize(
    "name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
)
def test_comparisons(same, name: str) -> None:
    apply(same, name, "f64", *grid(FLOATS, float), gives="bool")
    apply(same, name, "i32", *grid([-(2**31), -1, 0, 1, 2**31 - 1], np.int32), gives="bool")
    apply(same, name, "u64", *grid([0, 1, 2**63, 2**64 - 1], np.uint64), gives="bool")
    apply(same, name, "bool", *grid([False, True], bool), gives="bool")


@pytest.mark.parametrize("name", ["floor_div", "remainder"])
@pytest.mark.parametrize("dtype", ["i64", "i32", "u64", "u32"])
def test_integer_division_never_traps(same, name: str, dtype: str) -> None:
    """By zero: 0. The smallest integer by -1, which x86 traps on: wraps."""
    kind = {"i64": np.int64, "i32": np.int32, "u64": np.uint64, "u32": np.uint32}[dtype]
    bounds = np.iinfo(kind)
    values = [bounds.min, bounds.max, 0, 1, 2, 7]
    values += [-1, -2, -7] if bounds.min < 0 else []
    found = apply(same, name, dtype, *grid(values, kind))
    zero = grid(values, kind)[1] == 0
    assert not found[zero].any()


@pytest.mark.parametrize("name", ["shift_left", "shift_right"])
@pytest.mark.parametrize("dtype", ["i64", "i32", "u64", "u32"])
def test_shifts_beyond_the_width(same, name: str, dtype: str) -> None:
    kind = {"i64": np.int64, "i32": np.int32, "u64": np.uint64, "u32": np.uint32}[dtype]
    bounds = np.iinfo(kind)
    a, b = np.meshgrid(
        np.array([bounds.min, bounds.max, 0, 1, 5], kind),
        np.array([0, 1, 31, 32, 63, 64, 99], kind),
    )
    apply(same, name, dtype, a.ravel(), b.ravel())


@pytest.mark.parametrize("target", ["f64", "f32", "i64", "i32", "u64", "u32", "bool"])
@pytest.mark.parametrize("source", ["f64", "f32", "i64", "i32", "u64", "u32", "bool"])
def test_casts(same, source: str, target: str) -> None:
    values = {
        "f": [0.0, -0.0, 0.9, -0.9, 7.5, -7.5, 2.0**31 - 1, 1e6],
        "i": [0, 1, -1, 2**31 - 1, -(2**31)],
        "u": [0, 1, 2**32 - 1],
        "b": [False, True],
    }[source[0]]
    names = {"f64": float, "f32": np.float32, "bool": bool}
    kind = names.get(source) or np.dtype({"i": "int", "u": "uint"}[source[0]] + source[1:])
    if source[0] == "f" and target[0] == "u":
        values = [v for v in values if v > -1]
    x = np.array(values).astype(kind)
    apply(same, "convert", source, x, gives=target, params=f"dtype={target}")


@pytest.mark.parametrize("target", ["i64", "i32"])
def test_floats_that_fit_no_integer_give_the_smallest(same, target: str) -> None:
    """What NumPy gives on x86; elsewhere it may differ, so that the answer is pinned here."""
    x = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300])
    text = f"program f(%a: f64[5]):\n  %b: {target}[5] = convert %a dtype={target}\n  return %b"
    found = compile_program(from_text(text))(x)[0]
    assert (found == np.iinfo(found.dtype).min).all()


def test_isfinite_and_isnan(same) -> None:
    for name in ("isfinite", "isnan"):
        apply(same, name, "f64", np.array(FLOATS), gives="bool")


@pytest.mark.parametrize("exponent", [0, 1, 2, 5, 13, -1, -4])
def test_integer_powers(same, exponent: int) -> None:
    apply(
        same, "integer_power", "f64", np.array([0.5, -1.5, 0.0, 3.0]), params=f"exponent={exponent}"
    )


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("bound", ["0.0e+00", "-2.5e+00", "inf", "nan"])
def test_extremum_with_a_number(same, name: str, dtype: str, bound: str) -> None:
    """NaN wins on either side, whichever instruction is taken for a bound that is known."""
    values = np.array(FLOATS, {"f64": float, "f32": np.float32}[dtype])
    head, kind = f"program f(%a: {dtype}[{values.size}]):", f"{dtype}[{values.size}]"
    text = f"""{head}
  %b: {kind} = {name} %a {bound}:{dtype}
  %c: {kind} = {name} {bound}:{dtype} %a
  return %b %c"""
    same(text, values)


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_slope_of_a_rectifier_lets_nothing_through_where_it_is_zero(same, dtype: str) -> None:
    """Not even NaN and infinity; at a tie it is a half."""
    x, moved = grid(FLOATS, np.dtype({"f64": float, "f32": np.float32}[dtype]))
    n = x.size
    text = f"""program f(%a: {dtype}[{n}], %b: {dtype}[{n}]):
  %c: bool[{n}] = equal %a 0.0e+00:{dtype}
  %d: {dtype}[{n}] = where %c 5.0e-01:{dtype} 1.0e+00:{dtype}
  %e: bool[{n}] = greater_equal %a 0.0e+00:{dtype}
  %f: {dtype}[{n}] = where %e %d 0.0e+00:{dtype}
  %g: {dtype}[{n}] = guarded_mul %f %b
  return %g"""
    with np.errstate(all="ignore"):
        (found,) = same(text, x, moved)
    assert (found[x < 0] == 0).all()
    np.testing.assert_array_equal(found[x == 0], moved[x == 0] / 2)

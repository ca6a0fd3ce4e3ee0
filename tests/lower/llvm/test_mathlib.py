"""The scalar functions, compiled into vectorised loops, against mpmath, NumPy and SciPy."""

from __future__ import annotations

import ctypes
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import llvmlite.binding as llvm
import mpmath as mp
import numpy as np
import pytest
import scipy.special as special
from llvmlite import ir
from scipy.optimize import brentq

from bayesdl.lower.llvm.machine import target_machine
from bayesdl.lower.llvm.mathlib import (
    ACCURACY,
    NAMES,
    Accuracy,
    accuracy_table,
    scalar_function,
)
from bayesdl.lower.llvm.optimise import ALL, object_code, optimised_text

TYPES = {"f64": (ir.DoubleType(), np.float64), "f32": (ir.FloatType(), np.float32)}
BINARY = ("arctan2", "power")
SEED = 20240229
# What a processor without fused multiply-add and without wide vectors would run.
OLD_X86 = ("x86-64", "")


@dataclass(frozen=True)
class Loop:
    """A compiled loop over one function; `text` is its optimised IR, `library` holds the code."""

    address: int
    arity: int
    dtype: Any
    text: str
    library: Any

    def __call__(self, *inputs: Any) -> np.ndarray[Any, Any]:
        arrays = [np.ascontiguousarray(x, self.dtype) for x in inputs]
        out = np.empty_like(arrays[0])
        pointers = [x.ctypes.data for x in (*arrays, out)]
        kinds = [ctypes.c_void_p] * (self.arity + 1)
        ctypes.CFUNCTYPE(None, *kinds, ctypes.c_int64)(self.address)(*pointers, out.size)
        return out


def loop_module(name: str, kind: Any) -> ir.Module:
    """`for i in range(n): out[i] = name(in0[i], …)`."""
    module, index, arity = ir.Module(), ir.IntType(64), 2 if name in BINARY else 1
    function = scalar_function(module, name, kind)
    pointers = [kind.as_pointer()] * (arity + 1)
    outer = ir.Function(module, ir.FunctionType(ir.VoidType(), [*pointers, index]), "loop")
    for argument in outer.args[:-1]:
        argument.add_attribute("noalias")
    entry, body, end = (outer.append_basic_block(label) for label in ("entry", "body", "end"))
    ir.IRBuilder(entry).branch(body)
    builder = ir.IRBuilder(body)
    i = builder.phi(index)
    values = [builder.load(builder.gep(pointer, [i])) for pointer in outer.args[:arity]]
    builder.store(builder.call(function, values), builder.gep(outer.args[arity], [i]))
    following = builder.add(i, index(1))
    i.add_incoming(index(0), entry)
    i.add_incoming(following, body)
    builder.cbranch(builder.icmp_unsigned("<", following, outer.args[-1]), body, end)
    ir.IRBuilder(end).ret_void()
    return module


@cache
def compiled(name: str, suffix: str, target: tuple[str, str] | None = None) -> Loop:
    """The loop, as the compiler makes it for this machine, or for another one."""
    kind, dtype = TYPES[suffix]
    given = str(loop_module(name, kind))
    if target is None:
        return loaded(name, dtype, optimised_text(given, ALL), object_code(given, ALL)[0])
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = target
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=3
    )
    module = llvm.parse_assembly(given)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return loaded(name, dtype, str(module), machine.emit_object(module))


def loaded(name: str, dtype: Any, text: str, code: bytes) -> Loop:
    """A loop from its object file."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address("loop")
    return Loop(address, 2 if name in BINARY else 1, dtype, text, engine)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs numbers of 64 bits")
@pytest.mark.parametrize("target", [None, OLD_X86] if platform.machine() == "x86_64" else [None])
@pytest.mark.parametrize("suffix", list(TYPES))
def test_tanh_in_a_dense_sweep(suffix: str, target: tuple[str, str] | None) -> None:
    """The worst of a million arguments: a few thousand against mpmath miss it by half a unit."""
    tanh = compiled("tanh", suffix, target)
    points = np.random.default_rng(SEED).uniform(1e-3, 3.0, 1_000_000).astype(tanh.dtype)
    truth = np.tanh(points.astype(np.longdouble))
    units = np.spacing(truth.astype(tanh.dtype)).astype(np.longdouble)
    assert np.max(np.abs(tanh(points) - truth) / units) <= ACCURACY["tanh"].f64


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs numbers of 64 bits")
@pytest.mark.parametrize("target", [None, OLD_X86] if platform.machine() == "x86_64" else [None])
@pytest.mark.parametrize("suffix", list(TYPES))
@pytest.mark.parametrize("name", ["decay", "sigmoid", "softplus"])
def test_what_comes_of_an_exponential_in_a_dense_sweep(
    name: str, suffix: str, target: tuple[str, str] | None
) -> None:
    """The worst of a million arguments, where both tails are far from zero."""
    function, rng = compiled(name, suffix, target), np.random.default_rng(SEED)
    points = np.concatenate([rng.uniform(-3.0, 3.0, 500_000), rng.uniform(-80.0, 40.0, 500_000)])
    points = points.astype(function.dtype)
    x = points.astype(np.longdouble)
    truth = {
        "decay": lambda: np.exp(-np.abs(x)),
        "sigmoid": lambda: np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x))),
        "softplus": lambda: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    }[name]()
    units = np.spacing(truth.astype(function.dtype)).astype(np.longdouble)
    promise = getattr(ACCURACY[name], suffix)
    assert np.max(np.abs(function(points) - truth) / units) <= promise


@pytest.mark.parametrize("target", [None, OLD_X86] if platform.machine() == "x86_64" else [None])
@pytest.mark.parametrize("name", ["ndtri", "erfinv"])
def test_single_quantiles_in_a_dense_sweep(name: str, target: tuple[str, str] | None) -> None:
    """The worst of a million arguments, in both ranges, against the same function in double."""
    rng, half = np.random.default_rng(SEED), 500_000
    if name == "ndtri":
        points = np.concatenate(
            [rng.uniform(2.0**-24, 1.0, half), 10 ** rng.uniform(-44, -2, half)]
        )
    else:
        points = np.concatenate([rng.uniform(-1.0, 1.0, half), 1 - 10 ** rng.uniform(-7, -2, half)])
    points = points.astype(np.float32)
    points = points[np.abs(points) < 1]
    truth = getattr(special, name)(points.astype(float))
    units = np.spacing(np.abs(truth).astype(np.float32)).astype(float)
    found = compiled(name, "f32", target)(points)
    assert np.max(np.abs(found - truth) / units) <= ACCURACY[name].f32


# --- what is true ------------------------------------------------------------------------------


def normal_cdf(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def lower_quantile(p: Any) -> Any:
    """The normal quantile for p ≤ 1/2, by Halley steps from SciPy's."""
    x = mp.mpf(float(special.ndtri(float(p))))
    for _ in range(3):
        step = (normal_cdf(x) - p) * mp.exp(x * x / 2) * mp.sqrt(2 * mp.pi)
        x -= step / (1 + x * step / 2)
    return x


def erfinv(x: Any) -> Any:
    if abs(x) < mp.mpf("1e-15"):
        return x * mp.sqrt(mp.pi) / 2
    return -mp.sign(x) * lower_quantile((1 - abs(x)) / 2) / mp.sqrt(2)


def lgamma(x: Any) -> Any:
    if x > 0:
        return mp.loggamma(x)
    return mp.log(abs(mp.pi / (x * mp.sinpi(x)))) - mp.loggamma(-x)


TRUTH: dict[str, Callable[..., Any]] = {
    "exp": mp.exp,
    "exp2": lambda x: mp.mpf(2) ** x,
    "expm1": mp.expm1,
    "decay": lambda x: mp.exp(-abs(x)),
    "log": mp.log,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log1p": mp.log1p,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "arctan2": mp.atan2,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfinv": erfinv,
    "ndtri": lambda p: lower_quantile(p) if p <= 0.5 else -lower_quantile(1 - p),
    "log_ndtr": lambda x: mp.log(normal_cdf(x)) if x < 0 else mp.log1p(-normal_cdf(-x)),
    "lgamma": lgamma,
    "digamma": lambda x: mp.psi(0, x),
    "trigamma": lambda x: mp.psi(1, x),
    "power": mp.power,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
}


# --- where it is tested ------------------------------------------------------------------------


class Points:
    """Random points of a format, dense where a function is hard."""

    def __init__(self, suffix: str, count: int) -> None:
        self.rng, self.count = np.random.default_rng(SEED), count
        self.double = suffix == "f64"
        self.tiny, self.huge = (1e-320, 1e300) if self.double else (1e-44, 1e37)
        self.largest = float(np.finfo(TYPES[suffix][1]).max)
        self.exp_low, self.exp_high = (-744.4, 709.7) if self.double else (-103.2, 88.7)
        self.one = 1e-15 if self.double else 1e-7

    def uniform(self, low: float, high: float) -> Any:
        return self.rng.uniform(low, high, self.count)

    def spread(self, low: float, high: float) -> Any:
        """Log-uniform."""
        return 10 ** self.rng.uniform(np.log10(low), np.log10(high), self.count)

    def both(self, x: Any) -> Any:
        """With random signs."""
        return x * self.rng.choice([-1.0, 1.0], self.count)

    def around(self, centre: float) -> Any:
        return centre + self.both(self.spread(self.one, 0.3))

    def everywhere(self) -> Any:
        return self.both(self.spread(self.tiny, self.huge))

    def small(self) -> Any:
        return self.both(self.spread(self.tiny, 1.0))


def points(name: str, suffix: str, count: int) -> tuple[np.ndarray[Any, Any], ...]:
    """Inputs in the domain, rounded to the format."""
    p, dtype = Points(suffix, count), TYPES[suffix][1]
    columns = _binary_points(name, p) if name in BINARY else (np.concatenate(_points(name, p)),)
    arrays = tuple(x.astype(dtype) for x in columns)
    return tuple(x[DOMAIN.get(name, np.isfinite)(arrays[0])] for x in arrays)


DOMAIN: dict[str, Callable[[Any], Any]] = {
    "log1p": lambda x: x > -1,
    "arcsin": lambda x: np.abs(x) < 1,
    "arccos": lambda x: np.abs(x) < 1,
    "arctanh": lambda x: np.abs(x) < 1,
    "arccosh": lambda x: x >= 1,
    "erfinv": lambda x: np.abs(x) < 1,
    "ndtri": lambda x: (x > 0) & (x < 1),
}


def _points(name: str, p: Points) -> list[Any]:
    exponential = [p.uniform(p.exp_low, p.exp_high), p.uniform(-1.0, 1.0)]
    logarithmic = [p.spread(p.tiny, p.huge), p.uniform(0.5, 2.0), p.around(1.0)]
    circular = [
        p.uniform(-10.0, 10.0),
        p.both(p.spread(p.tiny, 2.0**30)),
        p.both(p.spread(2.0**29, p.largest)),
        np.round(p.uniform(1.0, 6.8e8)) * np.pi / 2,
    ]
    inverse = [p.uniform(-1.0, 1.0), p.small(), 1 - p.spread(p.one, 0.3), p.spread(p.one, 0.3) - 1]
    hyperbolic = [p.uniform(-3.0, 3.0), p.uniform(-p.exp_high, p.exp_high) * 1.0009, p.small()]
    gamma = [p.uniform(0.0, 12.0), p.around(1.0), p.around(2.0)]
    tail = p.uniform(0.0, 27.2 if p.double else 10.0)
    table: dict[str, list[Any]] = {
        "exp": exponential,
        "decay": exponential,
        "sigmoid": [*exponential, p.uniform(-5.0, 5.0)],
        "softplus": [*exponential, p.uniform(-5.0, 5.0)],
        "exp2": [p.uniform(p.exp_low, p.exp_high) * 1.44, p.uniform(-2.0, 2.0)],
        "expm1": [p.uniform(-50.0, p.exp_high), p.uniform(-2.0, 2.0), p.small()],
        "log": logarithmic,
        "log2": logarithmic,
        "log1p": [p.small(), p.spread(1e-10, p.huge), p.uniform(-1.0, 2.0)],
        "sin": circular,
        "cos": circular,
        "tan": circular,
        "arcsin": inverse,
        "arccos": inverse,
        "arctanh": inverse,
        "erfinv": inverse,
        "arctan": [p.uniform(-3.0, 3.0), p.everywhere()],
        "arcsinh": [p.uniform(-3.0, 3.0), p.everywhere()],
        "arccosh": [1 + p.spread(p.one, 1.0), p.spread(1.0, p.huge)],
        "sinh": hyperbolic,
        "cosh": hyperbolic,
        "tanh": [*hyperbolic, p.uniform(-20.0, 20.0)],
        "erf": [p.uniform(-6.0, 6.0), p.uniform(-1.5, 1.5), p.small()],
        "erfc": [p.uniform(-6.0, 1.0), tail, p.small()],
        "ndtri": [
            p.uniform(0.0, 1.0),
            p.spread(p.tiny, 0.5),
            1 - p.spread(p.one, 0.3),
            p.around(0.5),
        ],
        "log_ndtr": [p.uniform(-50.0, 8.0), p.uniform(-2.0, 2.0), -p.spread(1.0, 1e10), tail],
        "lgamma": [*gamma, p.spread(p.tiny, p.huge)],
        "digamma": [*gamma, p.spread(1e-37, p.huge)],
        "trigamma": [*gamma, p.spread(1e-18, 1e20)],
        "cbrt": [p.everywhere(), p.uniform(0.1, 10.0)],
    }
    return table[name]


def _binary_points(name: str, p: Points) -> tuple[Any, Any]:
    if name == "arctan2":
        pairs = [(p.everywhere(), p.everywhere()), (p.uniform(-1.0, 1.0), p.uniform(-1.0, 1.0))]
    else:
        base = p.around(1.0).astype(TYPES["f64" if p.double else "f32"][1]).astype(float)
        logarithm = np.log(np.where(base == 1.0, np.e, base))
        pairs = [
            (p.spread(1e-3, 1e3), p.uniform(-12.0, 12.0)),
            (base, p.uniform(p.exp_low, p.exp_high) / logarithm),
            (p.spread(p.tiny, p.huge), p.uniform(-1.0, 1.0)),
        ]
    return tuple(np.concatenate(column) for column in zip(*pairs, strict=True))  # type: ignore[return-value]


def worst(name: str, suffix: str, got: Any, *inputs: Any) -> tuple[float, tuple[float, ...]]:
    """The largest error in ulps of the true result, and where; overflow is left out."""
    digits, lowest = (53, -1074) if suffix == "f64" else (24, -149)
    largest = float(np.finfo(got.dtype).max)
    absolute = ACCURACY[name].absolute if suffix == "f64" else 0.0
    bad = (0.0, (0.0,))
    with mp.workdps(40):
        for y, *x in zip(got.tolist(), *(column.tolist() for column in inputs), strict=True):
            truth = TRUTH[name](*map(mp.mpf, x))
            if abs(truth) >= largest:
                continue
            error = abs(mp.mpf(y) - truth)
            ulp = mp.ldexp(1, max(int(mp.frexp(truth)[1]) - digits, lowest))
            ulps = float(error / ulp) if np.isfinite(y) else np.inf
            if ulps > bad[0] and (error > absolute or not np.isfinite(y)):
                bad = (ulps, tuple(x))
    return bad


# --- the tests ---------------------------------------------------------------------------------


def test_the_table_of_accuracy_says_something_of_every_function() -> None:
    """The guide prints it, and the tests below read it."""
    assert set(ACCURACY) == NAMES == set(TRUTH)
    for accuracy in ACCURACY.values():
        assert isinstance(accuracy, Accuracy)
        assert 0 < accuracy.f32 <= 3
        assert 0 < accuracy.f64 <= 6


@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize("name", sorted(NAMES))
def test_errors_are_as_promised(name: str, suffix: str) -> None:
    """Against 40 digits, on a few hundred points; the slow test below takes thousands."""
    inputs = points(name, suffix, 100)
    ulps, where = worst(name, suffix, compiled(name, suffix)(*inputs), *inputs)
    assert ulps <= getattr(ACCURACY[name], suffix), where


@pytest.mark.slow
@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize("name", sorted(NAMES))
def test_errors_are_as_promised_on_many_points(name: str, suffix: str) -> None:
    """Against 40 digits, on thousands of points."""
    inputs = points(name, suffix, 1500)
    ulps, where = worst(name, suffix, compiled(name, suffix)(*inputs), *inputs)
    assert ulps <= getattr(ACCURACY[name], suffix), where


@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize("name", ["exp", "log1p", "tanh", "sin", "erfc", "power", "cbrt", "lgamma"])
def test_errors_are_as_promised_without_fused_multiply_add(name: str, suffix: str) -> None:
    """Error-free steps are error-free on the oldest 64-bit machine as well."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("an x86-64 target")
    inputs = points(name, suffix, 100)
    loop = compiled(name, suffix, OLD_X86)
    ulps, where = worst(name, suffix, loop(*inputs), *inputs)
    assert ulps <= getattr(ACCURACY[name], suffix), where


ODD = (
    *("expm1", "log1p", "sin", "tan", "arcsin", "arctan", "sinh", "tanh", "arcsinh", "arctanh"),
    *("cbrt", "erf", "erfinv", "arctan2", "power"),
)
SAME: dict[str, Callable[..., Any]] = {
    "decay": lambda x: np.exp(-np.abs(x)),
    "sigmoid": special.expit,
    "softplus": lambda x: np.logaddexp(np.zeros_like(x), x),
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "ndtri": special.ndtri,
    "log_ndtr": special.log_ndtr,
    "lgamma": special.gammaln,
    "digamma": special.digamma,
    "trigamma": lambda x: special.polygamma(1, x).astype(x.dtype),
}


@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize("name", sorted(NAMES))
def test_ends_and_zeros_are_those_of_numpy(name: str, suffix: str) -> None:
    """Infinities, NaN, zeros with their signs, integers, the ends of the format; pairs of them."""
    dtype = TYPES[suffix][1]
    x = np.array([0, np.inf, np.nan, 1, 2, 3, 0.5, 2.5, 1e5, 1e-30, np.finfo(dtype).tiny], dtype)
    x = np.concatenate([x, -x, [np.finfo(dtype).max, -np.finfo(dtype).max]]).astype(dtype)
    inputs = [c.ravel() for c in np.meshgrid(x, x)] if name in BINARY else [x]
    with np.errstate(all="ignore"):
        expected = SAME.get(name, getattr(np, name, None))(*inputs)  # type: ignore[misc]
    got = compiled(name, suffix)(*inputs)
    exact = ~np.isfinite(expected) | (expected == 0)
    np.testing.assert_array_equal(got[exact], expected[exact])
    np.testing.assert_allclose(got, expected, rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize(
    "name",
    [
        "expm1",
        "log1p",
        "sin",
        "tan",
        "arcsin",
        "arctan",
        "sinh",
        "tanh",
        "arcsinh",
        "arctanh",
        "cbrt",
        "erf",
        "erfinv",
        "arctan2",
        "power",
    ],
)
def test_zero_keeps_its_sign(name: str, suffix: str) -> None:
    """f(±0) = ±0 for odd functions and their like."""
    zeros = [[0.0, -0.0]] + [[1.0, 1.0]] * (name in BINARY)
    assert np.signbit(compiled(name, suffix)(*zeros)).tolist() == [False, True]


def test_subnormal_results_are_rounded_once() -> None:
    """e⁻⁷⁴⁴·⁴ is the smallest subnormal; erfc passes through the same gate."""
    assert compiled("exp", "f64")([-744.4, -745.2]).tolist() == [5e-324, 0.0]
    assert compiled("exp2", "f64")([-1074.0, -1076.0]).tolist() == [2.0**-1074, 0.0]
    assert compiled("exp2", "f32")([-149.0, -151.0]).tolist() == [2.0**-149, 0.0]


@pytest.mark.parametrize("suffix", TYPES)
def test_what_is_exact_comes_out_exact(suffix: str) -> None:
    """Powers of two, cubes, small integral powers."""
    k = np.arange(-126.0, 128.0)
    np.testing.assert_array_equal(compiled("exp2", suffix)(k), 2.0**k)
    np.testing.assert_array_equal(compiled("log2", suffix)(2.0**k), k)
    n = np.arange(-100.0, 101.0)
    np.testing.assert_array_equal(compiled("cbrt", suffix)(n**3), n)
    np.testing.assert_array_equal(compiled("power", suffix)(n, np.full_like(n, 3.0)), n**3)


# The numbers of each format that are nearest to a multiple of π/2 (Muller 2016, section 11.2), and
# where the reduction of usual angles ends.
HARDEST = {
    "f64": [6381956970095103 * 2.0**797, np.nextafter(2.0**30, np.inf), 2.0**30, 2.0**1023, 1e22],
    "f32": [16367173 * 2.0**72, np.nextafter(np.float32(2**30), np.float32(np.inf)), 2.0**127],
}


@pytest.mark.parametrize("target", [None, OLD_X86] if platform.machine() == "x86_64" else [None])
@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_of_any_size(name: str, suffix: str, target: tuple[str, str] | None) -> None:
    """In registers in which all, some or one element is far, with both signs."""
    far = np.array(HARDEST[suffix])
    near = np.random.default_rng(SEED).uniform(-10, 10, 40)
    inputs = np.concatenate([far, -far, near, np.insert(near, [3, 17, 18], far[:3]), far[:1]])
    inputs = inputs.astype(TYPES[suffix][1])
    function = compiled(name, suffix, target)
    got = function(inputs)
    ulps, where = worst(name, suffix, got, inputs)
    assert ulps <= getattr(ACCURACY[name], suffix), where
    alone = np.concatenate([function(inputs[i : i + 1]) for i in range(len(inputs))])
    np.testing.assert_array_equal(got, alone)


@pytest.mark.parametrize("level", [0, 1])
def test_angles_of_any_size_in_code_made_quickly(level: int) -> None:
    """What is not widened calls the scalar function."""
    given = str(loop_module("sin", ir.DoubleType()))
    loop = loaded("sin", np.float64, "", object_code(given, level)[0])
    inputs = np.array([*HARDEST["f64"], 0.5, np.inf, np.nan])
    np.testing.assert_array_equal(loop(inputs), compiled("sin", "f64")(inputs))


def test_usual_angles_pay_one_jump_for_far_ones() -> None:
    """The loop over registers calls in one branch only, which LLVM was told is seldom taken."""
    if not llvm.get_host_cpu_features().get("avx2"):
        pytest.skip("the host has no AVX2, so the width is not known here")
    (loop,) = re.findall(r"^define [^\n]*@loop\(.*?^}", compiled("sin", "f64").text, re.M | re.S)
    (block,) = re.findall(r"^vector\.body:(.*?)^middle\.block:", loop, re.M | re.S)
    calls = re.findall(r"call [^\n]*@(bdl[\w.]*)\(", block)
    assert len(calls) == 1
    assert calls[0].endswith(".apart")
    assert "!prof" in block


@pytest.mark.parametrize("name", ["lgamma", "digamma", "trigamma"])
def test_gamma_functions_of_negative_numbers(name: str) -> None:
    """The bound of the note: absolute near the zeros, relative to the reflection's terms."""
    rng = np.random.default_rng(SEED)
    near, far, tiny = rng.uniform(0, 6, 150), rng.uniform(0, 170, 50), rng.uniform(-300, 4, 150)
    x = -np.concatenate([near, far, 10**tiny])
    x = x[(x > -1e4) & ((x < -1e-150) | (name != "trigamma"))]
    got = compiled(name, "f64")(x)
    for xi, y in zip(x.tolist(), got.tolist(), strict=True):
        with mp.workdps(40):
            truth = TRUTH[name](mp.mpf(xi))
            if abs(truth) > 1e308:
                continue
            cotangent = abs(mp.pi * mp.cospi(xi) / mp.sinpi(xi))
            bound = {
                "lgamma": 1e-15 * (2 + abs(xi) * mp.log1p(abs(xi)) + abs(truth)),
                "digamma": 2e-15 * (2 + cotangent),
                "trigamma": 3e-15 * (mp.pi / mp.sinpi(xi)) ** 2,
            }[name]
            assert abs(mp.mpf(y) - truth) <= bound, xi


def single_near_zeros(name: str) -> np.ndarray[Any, Any]:
    """float32 next to the zeros of a function between the negative integers, on both sides."""
    function = {"lgamma": special.gammaln, "digamma": special.digamma}[name]
    grid = np.linspace(-9.0, -0.01, 20_001)
    found = []
    for low, high in pairwise(grid.tolist()):
        a, b = function(low), function(high)
        if a * b < 0 and max(abs(a), abs(b)) < 1:
            zero = np.float32(brentq(function, low, high))
            found += [np.nextafter(zero, np.float32(-99)), zero, np.nextafter(zero, np.float32(0))]
    return np.array(found, np.float32)


@pytest.mark.parametrize("target", [None, OLD_X86] if platform.machine() == "x86_64" else [None])
@pytest.mark.parametrize("name", ["lgamma", "digamma", "trigamma"])
def test_gamma_functions_of_negative_numbers_in_single_precision(
    name: str, target: tuple[str, str] | None
) -> None:
    """The promise for positive ones holds, also next to zeros: sums are made in double."""
    rng = np.random.default_rng(SEED)
    x = -np.concatenate(
        [rng.uniform(0, 6, 200), rng.uniform(0, 60, 50), 10 ** rng.uniform(-18, 1, 150)]
    )
    x = x.astype(np.float32)
    if name != "trigamma":
        near = single_near_zeros(name)
        assert len(near) >= 3 * 8
        x = np.concatenate([x, near])
    x = x[x != np.round(x)]
    ulps, where = worst(name, "f32", compiled(name, "f32", target)(x), x)
    assert ulps <= ACCURACY[name].f32, where


@pytest.mark.parametrize("suffix", TYPES)
@pytest.mark.parametrize("name", sorted(NAMES))
def test_loops_are_widened_and_call_nothing(name: str, suffix: str) -> None:
    """One register of elements at a time, no library call."""
    text = compiled(name, suffix).text
    declared = re.findall(r"^declare.*@([\w.]+)\(", text, re.MULTILINE)
    assert all(function.startswith("llvm.") for function in declared)
    if not llvm.get_host_cpu_features().get("avx2"):
        pytest.skip("the host has no AVX2, so the width is not known here")
    widths = [int(w) for w in re.findall(r"<(\d+) x double>", text)]
    widths += [int(w) // 2 for w in re.findall(r"<(\d+) x float>", text)]
    assert max(widths, default=1) >= 4


def test_the_table_for_people_has_a_line_for_every_function() -> None:
    """Numbers as they are promised; the guide prints it, and a test holds the guide to it."""
    head, *lines = accuracy_table().split("\n")
    assert head.split() == ["function", "float64", "float32", "notes"]
    found = {line.split()[0]: tuple(map(float, line.split()[1:3])) for line in lines}
    assert found == {name: (a.f64, a.f32) for name, a in ACCURACY.items()}
    assert "absolute 2e-15" in lines[sorted(NAMES).index("digamma")]


def test_a_function_enters_a_module_once() -> None:
    """The second request finds the first."""
    module = ir.Module()
    first = scalar_function(module, "tanh", ir.DoubleType())
    assert scalar_function(module, "tanh", ir.DoubleType()) is first
    assert first.name == "bdl.tanh.f64"
    assert scalar_function(module, "tanh", ir.FloatType()).name == "bdl.tanh.f32"


def test_an_unknown_function_is_refused() -> None:
    """With the list of those that exist."""
    with pytest.raises(KeyError, match=r"no scalar function named 'tahn'; there are: arccos, .*"):
        scalar_function(ir.Module(), "tahn", ir.DoubleType())

"""Random numbers: known answers, distributions, keys and derivatives.

Statistical tests use one seed each and reject at a false-alarm rate of 1e-6.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.special
import scipy.stats

from bayesdl._base import memory
from bayesdl._base.errors import ArgumentError, CapacityError
from bayesdl.ir.types import ArrayType
from bayesdl.lower.llvm import compile_program
from bayesdl.ops import random
from bayesdl.ops._bind import evaluate
from bayesdl.ops._trace import trace_flat
from bayesdl.ops.random.bits import philox
from bayesdl.ops.random.continuous import unit
from bayesdl.transform.vjp import vjp_program
from bayesdl.transform.vmap import vmap_program

ALARM = 1e-6
DRAWS = 20_000
KEY = ArrayType((2,), np.dtype(np.uint32))
F64 = np.dtype(np.float64)


def test_philox_gives_the_published_vectors():
    # kat_vectors of Random123 (Salmon et al. 2011), philox4x32-10: counter, key, result.
    ones = 0xFFFFFFFF
    published = [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ones,) * 4, (ones,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ]
    for counter, key, result in published:
        found = philox(tuple(np.uint64(c) for c in counter), tuple(np.uint64(k) for k in key))
        assert tuple(int(w) for w in found) == result


def test_bits_are_the_blocks_in_order():
    found = random.bits(np.zeros(2, np.uint32), (3,))
    assert [hex(int(w)) for w in found[:2]] == ["0xe169c58d6627e8d5", "0x9b00dbd8bc57ac4c"]
    np.testing.assert_array_equal(random.bits(np.zeros(2, np.uint32), (2,)), found[:2])
    assert random.bits(np.zeros(2, np.uint32)) == found[0]


def test_keys_of_different_purposes_differ():
    key = random.key(0)
    folded = np.stack([random.fold_in(key, i) for i in range(64)])
    derived = np.concatenate([random.split(key, 64), folded]).astype(np.uint64)
    words = [*random.bits(key, (64,)), *(derived[:, 0] | derived[:, 1] << np.uint64(32))]
    assert len({int(w) for w in words}) == 3 * 64


def test_seeds():
    assert len({tuple(random.key(s)) for s in range(1000)}) == 1000
    assert random.key(np.int64(3)).tolist() == random.key(3).tolist()
    for bad in (-1, 2**64, 1.5, "0", None):
        with pytest.raises(ArgumentError, match="a seed must be an integer"):
            random.key(bad)


@pytest.mark.parametrize("bad", [0, np.zeros(2), np.zeros(3, np.uint32), None])
def test_a_number_is_not_a_key(bad):
    with pytest.raises(ArgumentError, match="need a key"):
        random.normal(bad, (3,))


def test_fold_in_is_the_same_traced_or_not():
    program = trace_flat(
        lambda k, i: [random.fold_in(k, i)], [KEY, ArrayType((), np.dtype(np.int64))], "f"
    )
    key = random.key(5)
    for i in (0, 7, -1):
        np.testing.assert_array_equal(
            evaluate(program, key, np.int64(i))[0], random.fold_in(key, i)
        )


def test_uniform_is_open_and_symmetric():
    words = np.array([0, 2**64 - 1], dtype=np.uint64)
    assert unit(words, np.float64).tolist() == [2.0**-53, 1.0 - 2.0**-53]
    assert unit(words, np.float32).tolist() == [2.0**-24, 1.0 - 2.0**-24]
    words = words.astype(np.uint32)
    assert unit(words, np.float32).tolist() == [2.0**-24, 1.0 - 2.0**-24]
    assert unit(words, np.float32).dtype == np.float32


def test_uniform_between_bounds():
    x = random.uniform(random.key(1), (1000,), low=-2.0, high=np.full(1000, 3.0))
    assert x.min() > -2.0
    assert x.max() < 3.0
    assert x.dtype == np.float64


CONTINUOUS = {
    "uniform": (lambda k, n: random.uniform(k, (n,)), scipy.stats.uniform()),
    "uniform32": (lambda k, n: random.uniform(k, (n,), np.float32), scipy.stats.uniform()),
    "normal": (lambda k, n: random.normal(k, (n,)), scipy.stats.norm()),
    "normal32": (lambda k, n: random.normal(k, (n,), np.float32), scipy.stats.norm()),
    "exponential": (lambda k, n: random.exponential(k, (n,)), scipy.stats.expon()),
    "gumbel": (lambda k, n: random.gumbel(k, (n,)), scipy.stats.gumbel_r()),
    "gamma 0.1": (lambda k, n: random.gamma(k, 0.1, (n,)), scipy.stats.gamma(0.1)),
    "gamma 1": (lambda k, n: random.gamma(k, 1.0, (n,)), scipy.stats.gamma(1.0)),
    "gamma 3.3": (lambda k, n: random.gamma(k, 3.3, (n,)), scipy.stats.gamma(3.3)),
    "gamma 1e4": (lambda k, n: random.gamma(k, 1e4, (n,)), scipy.stats.gamma(1e4)),
    "log_gamma 0.01": (lambda k, n: random.log_gamma(k, 0.01, (n,)), scipy.stats.loggamma(0.01)),
    "beta 0.3 2": (lambda k, n: random.beta(k, 0.3, 2.0, (n,)), scipy.stats.beta(0.3, 2.0)),
    "dirichlet": (
        lambda k, n: random.dirichlet(k, np.array([1.0, 2.0, 4.0]), (n,))[:, 0],
        scipy.stats.beta(1.0, 6.0),
    ),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_numbers_have_their_distribution(name):
    draw, distribution = CONTINUOUS[name]
    found = scipy.stats.kstest(draw(random.key(11), DRAWS), distribution.cdf)
    assert found.pvalue > ALARM


COUNTS = {
    "poisson 0.3": (lambda k, n: random.poisson(k, 0.3, (n,)), scipy.stats.poisson(0.3)),
    "poisson 9.9": (lambda k, n: random.poisson(k, 9.9, (n,)), scipy.stats.poisson(9.9)),
    "poisson 10": (lambda k, n: random.poisson(k, 10.0, (n,)), scipy.stats.poisson(10.0)),
    "poisson 300": (lambda k, n: random.poisson(k, 300.0, (n,)), scipy.stats.poisson(300.0)),
    "binomial 5 0.3": (lambda k, n: random.binomial(k, 5, 0.3, (n,)), scipy.stats.binom(5, 0.3)),
    "binomial 40 0.5": (lambda k, n: random.binomial(k, 40, 0.5, (n,)), scipy.stats.binom(40, 0.5)),
    "binomial 100 0.93": (
        lambda k, n: random.binomial(k, 100, 0.93, (n,)),
        scipy.stats.binom(100, 0.93),
    ),
    "binomial 3000 0.2": (
        lambda k, n: random.binomial(k, 3000, 0.2, (n,)),
        scipy.stats.binom(3000, 0.2),
    ),
    "bernoulli": (
        lambda k, n: random.bernoulli(k, 0.3, (n,)).astype(int),
        scipy.stats.bernoulli(0.3),
    ),
    "randint": (lambda k, n: random.randint(k, n, -2, 5), scipy.stats.randint(-2, 5)),
    "categorical": (
        lambda k, n: random.categorical(k, np.log([0.1, 0.2, 0.7]), (n,)),
        scipy.stats.rv_discrete(values=([0, 1, 2], [0.1, 0.2, 0.7])),
    ),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_have_their_distribution(name):
    draw, distribution = COUNTS[name]
    x = draw(random.key(13), DRAWS)
    low, high = int(distribution.ppf(1e-3)), int(distribution.ppf(1 - 1e-3))
    cuts = np.arange(low, high)
    expected = DRAWS * np.diff(np.concatenate([[0.0], distribution.cdf(cuts), [1.0]]))
    observed = np.histogram(x, np.concatenate([[-np.inf], cuts + 0.5, [np.inf]]))[0]
    keep = expected > 0
    assert observed[~keep].sum() == 0
    assert scipy.stats.chisquare(observed[keep], expected[keep]).pvalue > ALARM


def test_parameters_outside_their_range():
    key = random.key(0)
    np.testing.assert_array_equal(
        random.poisson(key, np.array([0.0, np.inf, np.nan, -1.0])), [0, -1, -1, -1]
    )
    np.testing.assert_array_equal(
        random.binomial(key, np.array([0, 10, 10, 10, -3]), np.array([0.5, 0.0, 1.0, 1.5, 0.5])),
        [0, 0, 10, -1, -1],
    )
    found = random.gamma(key, np.array([0.0, -0.5, -1.0, np.nan, np.inf]))
    assert found[0] == 0.0
    assert np.all(np.isnan(found[1:]))
    with pytest.raises(ArgumentError, match="no integer in that range"):
        random.randint(key, (2,), 3, 3)
    with pytest.raises(ArgumentError, match="float64 or float32"):
        random.uniform(key, (2,), np.int64)


def test_orders():
    key = random.key(3)
    assert sorted(random.permutation(key, 50).tolist()) == list(range(50))
    assert random.choice(key, 50, 5).tolist() == random.permutation(key, 50)[:5].tolist()
    x = np.arange(12.0).reshape(6, 2)
    shuffled = random.shuffle(key, x)
    assert sorted(map(tuple, shuffled.tolist())) == sorted(map(tuple, x.tolist()))
    with pytest.raises(ArgumentError, match="more numbers"):
        random.choice(key, 3, 4)
    first = [int(random.permutation(random.fold_in(key, i), 5)[0]) for i in range(2000)]
    assert scipy.stats.chisquare(np.bincount(first, minlength=5)).pvalue > ALARM


@pytest.mark.parametrize("sampler", ["gamma", "poisson"])
def test_a_batch_of_keys_is_a_loop_over_keys(sampler):
    draw = getattr(random, sampler)
    program = trace_flat(lambda k, a: [draw(k, a)], [KEY, ArrayType((2,), F64)], "f")
    batched, _ = vmap_program(program, (True, False), 4, None)
    keys, a = random.split(random.key(2), 4), np.array([0.7, 25.0])
    found = evaluate(batched, keys, a)[0]
    np.testing.assert_array_equal(found, [draw(k, a) for k in keys])


@pytest.mark.parametrize("a", [1.0, 1.3, 2.0, 30.0, 1e4])
def test_gamma_derivative_is_implicit(a):
    # Along a path of constant probability P(a, z) the quantile moves at this rate.
    program = trace_flat(lambda k, v: [random.log_gamma(k, v)], [KEY, ArrayType((5,), F64)], "f")
    derived = vjp_program(program, (False, True))
    log_z, slopes = evaluate(derived, random.key(4), np.full(5, a), np.ones(5))
    p, step = scipy.special.gammainc(a, np.exp(log_z)), 1e-4 * a
    at = [np.log(scipy.special.gammaincinv(a + s * step, p)) for s in (-2, -1, 1, 2)]
    if a == 1.0:
        # Concentrations below 1 go another way, so the path is followed on one side only.
        at = [np.log(scipy.special.gammaincinv(a + s * step, p)) for s in (0, 1, 2)]
        wanted = (-3 * at[0] + 4 * at[1] - at[2]) / (2 * step)
    else:
        wanted = (8 * (at[2] - at[1]) - (at[3] - at[0])) / (12 * step)
    np.testing.assert_allclose(slopes, wanted, rtol=1e-6)


@pytest.mark.slow
def test_gamma_gradients_are_unbiased():
    # d/da E[log z] = trigamma(a) and d/da E[z] = 1; a z-test at 1e-6 (|z| < 4.9).
    n = 20_000
    for a in (0.3, 1.7, 12.0):
        for draw, wanted in (
            (random.log_gamma, scipy.special.polygamma(1, a)),
            (random.gamma, 1.0),
        ):
            program = trace_flat(
                lambda k, v, draw=draw: [draw(k, v)], [KEY, ArrayType((n,), F64)], "f"
            )
            slopes = evaluate(
                vjp_program(program, (False, True)), random.key(17), np.full(n, a), np.ones(n)
            )[1]
            assert abs(slopes.mean() - wanted) < 4.9 * slopes.std() / np.sqrt(n)


def test_float32_stays_float32():
    a = np.full(3, 2.0, np.float32)
    key = random.key(0)
    for found in (
        random.gamma(key, a),
        random.beta(key, a, a),
        random.dirichlet(key, a),
        random.normal(key, (3,), np.float32),
    ):
        assert found.dtype == np.float32


def test_random_programs_hold_no_numbers():
    # A sampler inside a trace is equations, also where its key is known: nothing large is stored.
    program = trace_flat(
        lambda x: [x + random.normal(random.key(0), (1000,))], [ArrayType((1000,), F64)], "f"
    )
    assert all(
        e.primitive.name != "constant" or e.outputs[0].type.size <= 2 for e in program.equations
    )


SAMPLERS = {
    "log_gamma": lambda k, a: random.log_gamma(k, a, (50,)),
    "beta": lambda k, a: random.beta(k, a, 2.0, (50,)),
    "dirichlet": lambda k, a: random.dirichlet(k, a + np.ones(3), (4,)),
    "poisson": lambda k, a: random.poisson(k, a, (50,)),
    "binomial": lambda k, a: random.binomial(k, 60, a / (1.0 + a), (50,)),
    "categorical": lambda k, a: random.categorical(k, a * np.arange(4.0), (50,)),
    "permutation": lambda k, a: random.permutation(k, 50),
    "split": lambda k, a: random.split(random.fold_in(k, 3), 7),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_native_numbers_are_the_interpreters(name):
    program = trace_flat(lambda k, a: [SAMPLERS[name](k, a)], [KEY, ArrayType((), F64)], name)
    executable = compile_program(program)
    for seed, a in ((1, 0.4), (2, 3.7), (3, 40.0)):
        found = executable(random.key(seed), np.float64(a))[0]
        wanted = evaluate(program, random.key(seed), np.float64(a))[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_native_gradient_of_a_sampler():
    program = trace_flat(lambda k, a: [random.log_gamma(k, a)], [KEY, ArrayType((8,), F64)], "f")
    derived = vjp_program(program, (False, True))
    inputs = random.key(9), np.linspace(0.2, 30.0, 8), np.ones(8)
    for found, wanted in zip(
        compile_program(derived)(*inputs), evaluate(derived, *inputs), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_a_stream_goes_on_with_its_next_key() -> None:
    """Its numbers are those of `uniform`, and the last word of the block is the next key."""
    key = random.key(8)
    numbers, following = random.uniform_and_key(key, 3, np.float64)
    np.testing.assert_array_equal(numbers, random.uniform(key, 4)[:3])
    last = int(random.bits(key, 4)[3])
    assert following.tolist() == [last & 0xFFFFFFFF, last >> 32]
    assert following.dtype == np.uint32
    short = random.uniform_and_key(key, 3, np.float32)[0]
    assert short.dtype == np.float32
    np.testing.assert_allclose(short, numbers, atol=2.0**-23)


@pytest.mark.parametrize(
    "call",
    [
        lambda key: random.bits(key, (10**12,)),
        lambda key: random.split(key, 10**12),
        lambda key: random.normal(key, (10**6, 10**6)),
        lambda key: random.gamma(key, 2.0, (10**12,)),
        lambda key: random.permutation(key, 10**12),
    ],
)
def test_more_numbers_than_fit_are_refused(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 10**12)
    with pytest.raises(CapacityError, match="an array of shape"):
        call(random.key(0))


def test_what_bits_take_on_the_way_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rounds hold several times as much as the words: what is refused is what is taken."""
    count = 2 * 10**6
    monkeypatch.setattr(memory, "CAREFUL", 0)
    tracemalloc.start()
    monkeypatch.setattr(memory, "free_memory", lambda: 2**60)
    random.bits(random.key(0), (count,))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    monkeypatch.setattr(memory, "free_memory", lambda: int(0.97 * taken))
    with pytest.raises(CapacityError, match="on the way"):
        random.bits(random.key(0), (count,))
    monkeypatch.setattr(memory, "free_memory", lambda: int(1.03 * taken))
    random.bits(random.key(0), (count,))

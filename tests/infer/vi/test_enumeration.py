"""Discrete unknowns of a guide that are summed over: against sums of all combinations by hand."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, jit, vmap
from bayesdl import numpy as bnp
from bayesdl._base.errors import ArgumentError, SiteError
from bayesdl._base.tree import flatten, unflatten
from bayesdl.infer.minibatch import Turn, minibatch_target
from bayesdl.infer.vi.enumeration import enumerated, estimate_by_enumeration
from bayesdl.infer.vi.estimators import ESTIMATORS, estimate, keys_of
from bayesdl.infer.vi.guides import ModelGuide
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.infer.vi.scores import estimate_by_scores
from bayesdl.model.density import build_density
from bayesdl.model.summed import Placed
from bayesdl.ops import random
from bayesdl.transform.derived import grad, value_and_grad

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
KEY = random.key(3)
Y = np.array([1.0, 2.5, -0.5, 0.3, 1.7, -1.2])
DRAWS = 100_000


def fitted(model: Any, guide: Any, *data: Any, names: str = "z") -> ModelGuide:
    """A guide on its model, which gives these discrete unknowns a place."""
    with Placed(frozenset(names.split())):
        return ModelGuide(guide).fitted_to(build_density(model, data))


def parameters(guide: ModelGuide, seed: int = 0) -> Any:
    """Some that are not all alike."""
    start = guide.start(KEY, np.zeros(guide.both[0].dim), 0.1)
    leaves, tree = flatten(start)
    rng = np.random.default_rng(seed)
    return unflatten(tree, [rng.normal(size=np.shape(leaf)) for leaf in leaves])


def exact(guide: ModelGuide, params: Any, values: dict[str, Any], prior: float = 1.0) -> Any:
    """ELBO and gradient: all combinations of all values of all rows, one by one; the guide's and
    the model's densities as they are, at one draw of what is continuous."""
    sizes = {n: guide.both[0].sites[n].type.shape for n in values}
    each = [list(product(values[n], repeat=int(np.prod(s)))) for n, s in sizes.items()]
    combinations = [
        {n: np.reshape(part, sizes[n]) for n, part in zip(sizes, parts, strict=True)}
        for parts in product(*each)
    ]
    stacked = {n: np.array([c[n] for c in combinations]) for n in sizes}
    latent = guide.both[0].sites.latent

    def one(chosen: Any, p: Any) -> Any:
        drawn, model = guide.run(p, KEY, (), chosen)
        share = sum(drawn.statements[n].law.log_prob(chosen[n]).sum() for n in values)
        terms = {n: s.log_density() for n, s in model.statements.items() if s.kind == "sample"}
        log_p = sum((prior if n in latent else 1.0) * t for n, t in terms.items())
        return np.exp(share) * (log_p - prior * drawn.log_prob())

    return value_and_grad(lambda p: vmap(one, (0, None))(stacked, p).sum())(params)


def same(guide: ModelGuide, params: Any, values: dict[str, Any], prior: float = 1.0) -> None:
    """Bound and gradient to 1e-10, traced."""
    keys = KEY[None]
    found = jit(lambda p: _figures(estimate_by_enumeration(guide, p, keys, prior)))(params)
    value, gradient = exact(guide, params, values, prior)
    for one, other in zip(found, [value, *flatten(gradient)[0]], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def _figures(found: Any) -> Any:
    return [found.bound, *flatten(found.gradient)[0]]


def switches(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(z * mu, 1.0), obs=y)


def of_switches(y: Any) -> None:
    slope = bdl.sample("slope", dist.Flat().expand((2,)))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Bernoulli(logits=slope[0] * y + slope[1]))


def test_switches_of_rows_are_a_formula() -> None:
    """Σ_rows Σ_z q (log p(z) + log p(y | z) − log q) + log p(mu): 2000 rows, to 1e-10 of it."""
    y = np.random.default_rng(1).normal(size=2000)
    guide = fitted(switches, of_switches, y)
    params = {"own": {"slope": np.array([0.8, -0.3])}, "points": {"mu": np.array(0.7)}}

    def elbo(p: Any) -> Any:
        slope, mu = p["own"]["slope"], p["points"]["mu"]
        logits, half = slope[0] * y + slope[1], 0.5 * np.log(2.0 * np.pi)
        q, on, off = bnp.sigmoid(logits), -bnp.softplus(-logits), -bnp.softplus(logits)
        one = np.log(0.3) - 0.5 * (y - mu) ** 2 - half - on
        none = np.log(0.7) - 0.5 * y * y - half - off
        return (q * one + (1.0 - q) * none).sum() - 0.5 * mu * mu - half

    found = estimate_by_enumeration(guide, params, KEY[None], 1.0)
    value, gradient = value_and_grad(elbo)(params)
    for one, other in zip(_figures(found), [value, *flatten(gradient)[0]], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def chain(y: Any) -> None:
    """Two unknowns in each row, of which the second depends on the first."""
    with bdl.plate("rows", y.shape[0]):
        a = bdl.sample("a", dist.Categorical(np.array([0.2, 0.5, 0.3])))
        b = bdl.sample("b", dist.Bernoulli(0.2 + 0.3 * a))
        bdl.sample("y", dist.Normal(a - 2.0 * b, 1.0), obs=y)


def of_chain(y: Any) -> None:
    """In the other order."""
    w = bdl.sample("w", dist.Flat().expand((5,)))
    with bdl.plate("rows", y.shape[0]):
        b = bdl.sample("b", dist.Bernoulli(logits=w[0] + w[1] * y))
        table = bnp.stack([w[2] + b, w[3] * y, w[4] - b], axis=-1)
        bdl.sample("a", dist.Categorical(logits=table))


def test_unknowns_that_meet_in_a_row_are_summed_together() -> None:
    """3 × 2 combinations of a row, not 6³ of three rows."""
    guide = fitted(chain, of_chain, Y[:3], names="a b")
    (group,) = enumerated(guide)
    assert np.prod(group.sizes) == 6
    same(guide, parameters(guide), {"a": [0, 1, 2], "b": [0, 1]})


def test_unknowns_that_do_not_meet_are_summed_apart() -> None:
    def two(y: Any) -> None:
        with bdl.plate("rows", y.shape[0]):
            a = bdl.sample("a", dist.Bernoulli(0.3))
            b = bdl.sample("b", dist.Bernoulli(0.6))
            bdl.sample("y", dist.Normal(a, 1.0), obs=y)
            bdl.sample("v", dist.Normal(b, 2.0), obs=y)

    def of_two(y: Any) -> None:
        w = bdl.sample("w", dist.Flat().expand((2,)))
        with bdl.plate("rows", y.shape[0]):
            bdl.sample("a", dist.Bernoulli(logits=w[0] * y))
            bdl.sample("b", dist.Bernoulli(logits=w[1] + y))

    guide = fitted(two, of_two, Y[:3], names="a b")
    assert len(enumerated(guide)) == 2
    same(guide, parameters(guide), {"a": [0, 1], "b": [0, 1]})


def levels(y: Any) -> None:
    """One switch for all, a count for each group, a switch for each row."""
    g = bdl.sample("g", dist.Bernoulli(0.4))
    with bdl.plate("groups", 2):
        h = bdl.sample("h", dist.Binomial(2, 0.6))
        with bdl.plate("rows", 2):
            z = bdl.sample("z", dist.Bernoulli(0.2 + 0.3 * g))
            bdl.sample("y", dist.Normal(h[:, None] + 1.3 * z + 2 * g, 1.0), obs=y)


def of_levels(y: Any) -> None:
    w = bdl.sample("w", dist.Flat().expand((4,)))
    g = bdl.sample("g", dist.Bernoulli(logits=w[0]))
    with bdl.plate("groups", 2):
        h = bdl.sample("h", dist.Binomial(2, bnp.sigmoid(w[1] + g)))
        with bdl.plate("rows", 2):
            bdl.sample("z", dist.Bernoulli(logits=w[2] * y + w[3] * h[:, None] - g))


def test_levels_of_plates_are_summed_from_the_inside() -> None:
    """Each inner one given those outside: 2 · 3² · 2⁴ combinations by hand."""
    guide = fitted(levels, of_levels, Y[:4].reshape(2, 2), names="g h z")
    values = {"g": [0, 1], "h": [0, 1, 2], "z": [0, 1]}
    for prior in (1.0, 0.3):
        same(guide, parameters(guide), values, prior)


def test_values_that_a_row_cannot_have_count_nothing() -> None:
    """Counts up to 1, 3 and 0; where the last two meet log p and log q are infinite."""
    most = np.array([1, 3, 0])

    def counts(y: Any) -> None:
        with bdl.plate("rows", 3):
            n = bdl.sample("z", dist.Binomial(most, 0.4))
            bdl.sample("y", dist.Normal(n, 1.0), obs=y)

    def of_counts(y: Any) -> None:
        w = bdl.sample("w", dist.Flat().expand((2,)))
        with bdl.plate("rows", 3):
            bdl.sample("z", dist.Binomial(most, bnp.sigmoid(w[0] + w[1] * y)))

    guide = fitted(counts, of_counts, Y[:3])
    params = parameters(guide)
    w = params["own"]["w"]

    def elbo(w: Any) -> Any:
        total = 0.0
        for i, m in enumerate(most):
            law, n = dist.Binomial(m, bnp.sigmoid(w[0] + w[1] * Y[i])), np.arange(m + 1)
            log_q = law.log_prob(n)
            log_p = dist.Binomial(m, 0.4).log_prob(n) + dist.Normal(n, 1.0).log_prob(Y[i])
            total = total + (np.exp(log_q) * (log_p - log_q)).sum()
        return total

    found = estimate_by_enumeration(guide, params, KEY[None], 1.0)
    np.testing.assert_allclose(found.bound, elbo(w), rtol=1e-12)
    np.testing.assert_allclose(found.gradient["own"]["w"], grad(elbo)(w), rtol=1e-10)


def test_masks_and_scales_change_terms_and_not_the_law() -> None:
    """A row whose log p and log q of the switch are left out still has its data."""
    on = np.array([True, False, True])

    def half(y: Any) -> None:
        with bdl.plate("rows", 3), bdl.scale(0.5):
            with bdl.mask(on):
                z = bdl.sample("z", dist.Bernoulli(0.3))
            bdl.sample("y", dist.Normal(z, 1.0), obs=y)

    def of_half(y: Any) -> None:
        w = bdl.sample("w", dist.Flat())
        with bdl.plate("rows", 3), bdl.mask(on), bdl.scale(0.5):
            bdl.sample("z", dist.Bernoulli(logits=w * y))

    guide = fitted(half, of_half, Y[:3])
    same(guide, parameters(guide), {"z": [0, 1]})


def test_copies_outside_of_plates_are_summed_together() -> None:
    """They meet in one observation: 2³ combinations."""

    def both(y: Any) -> None:
        z = bdl.sample("z", dist.Bernoulli(np.array([0.3, 0.6, 0.2])))
        bdl.sample("y", dist.Normal(z.sum(), 1.0), obs=y)

    def of_both(y: Any) -> None:
        w = bdl.sample("w", dist.Flat().expand((3,)))
        bdl.sample("z", dist.Bernoulli(logits=w))

    guide = fitted(both, of_both, 1.2)
    assert enumerated(guide)[0].sizes == (8,)
    same(guide, parameters(guide), {"z": [0, 1]})


def test_events_of_a_row_are_summed_in_all_combinations() -> None:
    """Two bits of each row: 2² combinations in a row."""

    def bits(y: Any) -> None:
        with bdl.plate("rows", y.shape[0]):
            z = bdl.sample("z", dist.Bernoulli(np.array([0.3, 0.6])).to_event(1))
            bdl.sample("y", dist.Normal(z[:, 0] - 2.0 * z[:, 1], 1.0), obs=y)

    def of_bits(y: Any) -> None:
        w = bdl.sample("w", dist.Flat().expand((2,)))
        with bdl.plate("rows", y.shape[0]):
            bdl.sample("z", dist.Bernoulli(logits=y[:, None] * w).to_event(1))

    guide = fitted(bits, of_bits, Y[:2])
    assert enumerated(guide)[0].sizes == (4,)
    same(guide, parameters(guide), {"z": [0, 1]})


def of_places(y: Any) -> None:
    """A class for each row, and a number that is drawn around the class."""
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        c = bdl.sample("c", dist.LogNormal(1.0 * z, 0.5))
        bdl.sample("y", dist.Normal(c, 0.8), obs=y)


def guess_places(y: Any) -> None:
    w = bdl.sample("w", dist.Flat().expand((4,)))
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(logits=w[0] + w[1] * y))
        bdl.sample("c", dist.LogNormal(w[2] + w[3] * z, 0.4))


def test_numbers_that_depend_on_a_class_share_their_noise() -> None:
    """At one draw of the noise: all combinations of three rows."""
    guide = fitted(of_places, guess_places, Y[:3])
    same(guide, parameters(guide), {"z": [0, 1]})


def test_the_log_density_is_that_on_the_real_line() -> None:
    """Its mean under the classes, log |det| and all, at one draw of the noise."""
    guide = fitted(of_places, guess_places, Y[:2])
    params, total = parameters(guide), 0.0
    for values in product([0, 1], repeat=2):
        z = np.array(values)
        drawn, model = guide.run(params, KEY, (), {"z": z})
        log_q = drawn.statements["z"].law.log_prob(z).sum()
        log_p = sum(s.log_density() for s in model.statements.values())
        total = total + np.exp(log_q) * (log_p + model.log_det)
    found = estimate_by_enumeration(guide, params, KEY[None], 1.0)
    np.testing.assert_allclose(found.log_density, total, rtol=1e-12)


def coins(y: Any) -> None:
    """The guess of a switch depends on the unknown that has a path."""
    loc = bdl.sample("loc", dist.Flat())
    mu = bdl.sample("mu", dist.Normal(loc, 0.5))
    slope = bdl.sample("slope", dist.Flat())
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Bernoulli(logits=slope * y * mu))


def exact_elbo_of_coins(params: Any) -> Any:
    """Sums over z, Gauss–Hermite over mu."""
    own = params["own"]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    total = 0.0
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        mu = own["loc"] + 0.5 * node
        logits = own["slope"] * Y * mu
        q, on, off = bnp.sigmoid(logits), -bnp.softplus(-logits), -bnp.softplus(logits)
        half = 0.5 * np.log(2.0 * np.pi)
        one = np.log(0.3) - 0.5 * (Y - mu) ** 2 - half - on
        none = np.log(0.7) - 0.5 * Y * Y - half - off
        terms = -0.5 * mu * mu + 0.5 * node * node + np.log(0.5)
        total = total + weight * (terms + (q * one + (1.0 - q) * none).sum())
    return total


def figures(name: str, samples: int, batch: int | None = None) -> np.ndarray[Any, Any]:
    """Gradients and bounds of `coins` from independent keys and minibatches, one row each."""
    params = {"own": {"loc": np.array(0.4), "slope": np.array(0.8)}, "points": {}}
    guide = fitted(switches, coins, Y)
    target = minibatch_target(guide.both[0], batch, frozenset(["z"]))
    guide = guide.in_batches(target)

    def one(key: Any) -> Any:
        here, keys = guide.at(Turn(key, np.int64(0))), keys_of(random.fold_in(key, 7), samples)
        if name == "enumeration":
            return _figures(estimate_by_enumeration(here, params, keys, 1.0))
        rows = len(Y) if batch is None else batch
        return _figures(estimate_by_scores(here, params, keys, 1.0, {"z": np.full(rows, -2.0)}))

    return np.column_stack(jit(vmap(one))(random.split(random.key(2), DRAWS)))


@pytest.mark.parametrize("name", ["enumeration", "score_function"])
@pytest.mark.parametrize(("samples", "batch"), [(1, None), (3, None), (1, 2)])
def test_both_are_unbiased(name: str, samples: int, batch: int | None) -> None:
    """10⁵ gradients and bounds: |z| < 5.2 in each of 3 figures (1e-6). A baseline shifts none."""
    found = figures(name, samples, batch)
    params = {"own": {"loc": np.array(0.4), "slope": np.array(0.8)}, "points": {}}
    value, gradient = value_and_grad(exact_elbo_of_coins)(params)
    error = found.std(axis=0) / np.sqrt(DRAWS)
    known = np.array([value, *flatten(gradient)[0]])
    assert (np.abs(found.mean(axis=0) - known) < 5.2 * error).all()


def test_a_sum_has_less_noise_than_a_score() -> None:
    """Less than half of its variance in each figure: 10⁵ draws tell shares to within 3 %."""
    one, other = (figures(n, 1).var(axis=0) for n in ("enumeration", "score_function"))
    assert (one < 0.5 * other)[1:].all()
    assert one[0] < other[0]


def test_the_mean_over_an_epoch_is_the_whole() -> None:
    """Purely discrete, so minibatches are the only noise: bound and gradient to 1e-10."""
    whole = fitted(switches, of_switches, Y)
    params = parameters(whole)
    full = _figures(estimate_by_enumeration(whole, params, KEY[None], 1.0))
    for batch in (2, 4):
        target = minibatch_target(whole.both[0], batch, frozenset(["z"]))
        guide = whole.in_batches(target)

        def one(step: Any, guide: ModelGuide = guide) -> Any:
            here = guide.at(Turn(KEY, step))
            return _figures(estimate_by_enumeration(here, params, KEY[None], 1.0))

        found = jit(vmap(one))(np.arange(np.lcm(6, batch) // batch))
        for a, b in zip(found, full, strict=True):
            np.testing.assert_allclose(a.mean(axis=0), b, rtol=1e-10, atol=1e-10)


def test_over_no_discrete_unknown_it_is_the_plain_gradient() -> None:
    def plain(y: Any) -> None:
        c = bdl.sample("c", dist.LogNormal(0.0, 1.0))
        with bdl.plate("rows", y.shape[0]):
            bdl.sample("y", dist.Normal(c, 1.0), obs=y)

    def of_plain(y: Any) -> None:
        bdl.sample("c", dist.LogNormal(bdl.sample("loc", dist.Flat()), 0.3))

    guide = fitted(plain, of_plain, Y)
    params, keys = parameters(guide), keys_of(KEY, 3)
    slope = value_and_grad(guide.both[0].function)
    plain_one = ESTIMATORS["enumeration"]
    other = estimate(plain_one, Renyi(), guide, params, keys, lambda q: slope(q, Y))
    found = estimate_by_enumeration(guide, params, keys, 1.0)
    pairs = zip(
        [found.log_density, *_figures(found)], [other.log_density, *_figures(other)], strict=True
    )
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_with_one_noise_of_what_all_rows_share_so_it_is() -> None:
    """`mu` is drawn for all rows, by the same key in each step; the rows' switches are sums."""
    whole = fitted(switches, coins, Y)
    params = {"own": {"loc": np.array(0.4), "slope": np.array(0.8)}, "points": {}}
    keys = keys_of(KEY, 2)
    guide = whole.in_batches(minibatch_target(whole.both[0], 4, frozenset(["z"])))

    def one(step: Any) -> Any:
        return _figures(estimate_by_enumeration(guide.at(Turn(KEY, step)), params, keys, 1.0))

    full = _figures(estimate_by_enumeration(whole, params, keys, 1.0))
    for a, b in zip(jit(vmap(one))(np.arange(3)), full, strict=True):
        np.testing.assert_allclose(a.mean(axis=0), b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fit_finds_the_exact_posterior(dtype: Any) -> None:
    """A Bernoulli for each row, whose log odds are a line in y that the guide holds: then log w is
    the evidence, whatever is drawn."""

    def known(y: Any) -> None:
        with bdl.plate("rows", y.shape[0]):
            z = bdl.sample("z", dist.Bernoulli(0.3))
            bdl.sample("y", dist.Normal(1.2 * z, 1.0), obs=y)

    settings: dict[str, Any] = {"estimator": "enumeration", "samples": 1, "dtype": dtype, **QUIET}
    post = bdl.fit(known, Y, method="vi", guide=of_switches, draws=500, **settings)
    odds = 0.3 / 0.7 * np.exp(1.2 * Y - 0.72)
    evidence = (np.log(0.7 * (1.0 + odds)) - 0.5 * Y * Y - 0.5 * np.log(2.0 * np.pi)).sum()
    assert post["z"].dtype == np.int64
    assert abs(post.draws.attrs["elbo"] - evidence) < 1e-3
    found = post.guide.params["own"]["slope"]
    np.testing.assert_allclose(found, [1.2, np.log(3.0 / 7.0) - 0.72], atol=2e-2)


def test_a_fit_in_minibatches_with_a_warm_up_finds_it_too() -> None:
    """300 rows, 30 at a time: log odds within 0.05."""

    def known(y: Any) -> None:
        with bdl.plate("rows", y.shape[0]):
            z = bdl.sample("z", dist.Bernoulli(0.3))
            bdl.sample("y", dist.Normal(1.2 * z, 1.0), obs=y)

    y = np.random.default_rng(2).normal(size=300)
    settings: dict[str, Any] = {"batch_size": 30, "kl_warmup": 300, "tune": 3000, **QUIET}
    guide: dict[str, Any] = {"guide": of_switches, "estimator": "enumeration"}
    post = bdl.fit(known, y, method="vi", draws=10, schedule="cosine", **guide, **settings)
    found = post.guide.params["own"]["slope"]
    np.testing.assert_allclose(found, [1.2, np.log(3.0 / 7.0) - 0.72], atol=0.05)


def counted(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        n = bdl.sample("z", dist.Poisson(3.0))
        bdl.sample("y", dist.Normal(n, 1.0), obs=y)


def of_counted(y: Any) -> None:
    rate = bdl.sample("rate", dist.Flat())
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("z", dist.Poisson(np.exp(rate)))


def of_neighbours(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.sample("y", dist.Normal(z[::-1], 1.0), obs=y)


def of_all(y: Any) -> None:
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Bernoulli(0.3))
    bdl.sample("total", dist.Normal(z.sum(), 1.0), obs=2.0)
    bdl.sample("y", dist.Normal(0.0, 1.0).expand(y.shape), obs=y)


def of_copies(y: Any) -> None:
    """No plate, so all combinations meet."""
    w = bdl.sample("w", dist.Flat())
    bdl.sample("z", dist.Bernoulli(logits=w).expand(y.shape))


def copies(y: Any) -> None:
    z = bdl.sample("z", dist.Bernoulli(0.3).expand(y.shape))
    bdl.sample("y", dist.Normal(z, 1.0), obs=y)


@pytest.mark.parametrize(
    ("model", "guide", "rows", "says"),
    [
        (counted, of_counted, 4, "not a finite set"),
        (copies, of_copies, 13, r"2 \^ 13"),
        (of_neighbours, of_switches, 4, "not shown to be independent"),
        (of_all, of_switches, 4, '"total" depends on it'),
    ],
    ids=["infinite", "too many", "meeting rows", "outside the plate"],
)
def test_what_has_no_such_sum_is_refused(model: Any, guide: Any, rows: int, says: str) -> None:
    """Before anything is compiled; the way out is named."""
    with pytest.raises(SiteError, match=says) as caught:
        bdl.fit(model, np.zeros(rows), method="vi", guide=guide, estimator="enumeration", **QUIET)
    assert caught.value.code in ("M103", "M125")


def test_what_the_model_sums_over_is_not_enumerated_beside_it() -> None:
    def two(y: Any) -> None:
        with bdl.plate("rows", y.shape[0]):
            a = bdl.sample("a", dist.Bernoulli(0.3))
            z = bdl.sample("z", dist.Bernoulli(0.3))
            bdl.sample("y", dist.Normal(a + z, 1.0), obs=y)

    with pytest.raises(ArgumentError, match="the model sums over"):
        bdl.fit(two, Y, method="vi", guide=of_switches, estimator="enumeration", **QUIET)


def test_other_bounds_are_refused() -> None:
    settings: dict[str, Any] = {"guide": of_switches, "objective": "iwae", **QUIET}
    with pytest.raises(ArgumentError, match="enumeration"):
        bdl.fit(switches, Y, method="vi", estimator="enumeration", **settings)

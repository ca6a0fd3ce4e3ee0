"""Variational inference: what it recovers, with each guide and each setting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError, BayesdlError
from bayesdl.infer.optim.rates import Cosine
from bayesdl.infer.vi.guides import LowRank
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.infer.vi.vi import VI
from bayesdl.ops import numpy as bnp

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
MEAN = np.array([1.0, -2.0, 3.0])
FACTOR = np.array([[2.0, 0.0, 0.0], [1.5, 1.0, 0.0], [-1.0, 0.5, 0.3]])
COVARIANCE = FACTOR @ FACTOR.T
DRAWS = 20_000


def correlated(y: Any) -> None:
    """A Gaussian with correlations of 0.8 and an unknown normaliser."""
    x = bdl.sample("x", dist.Flat().expand((3,)).to_event(1))
    d = x - MEAN
    bdl.factor("target", -0.5 * (d @ (np.linalg.inv(COVARIANCE) @ d)) + 0.0 * y)


def independent(y: Any) -> None:
    """The same without the correlations."""
    x = bdl.sample("x", dist.Flat().expand((3,)).to_event(1))
    d = (x - MEAN) / np.sqrt(np.diag(COVARIANCE))
    bdl.factor("target", -0.5 * (d * d).sum() + 0.0 * y)


CASES = {
    "mean_field": (independent, np.diag(np.diag(COVARIANCE))),
    "full_rank": (correlated, COVARIANCE),
    "structured": (correlated, COVARIANCE),
    "low_rank": (correlated, COVARIANCE),
}


@pytest.mark.parametrize("name", CASES)
def test_a_family_that_holds_the_target_finds_it(name: str) -> None:
    """Means and variances within 5.5 standard errors of 20 000 draws and 1 % (low_rank, which holds
    it in the limit: 5 %) of a sd and variance; false alarms below 1e-6. k-hat below 0.3."""
    model, covariance = CASES[name]
    guide = LowRank(rank=2) if name == "low_rank" else name
    post = bdl.fit(model, 0.0, method="vi", guide=guide, draws=DRAWS, **QUIET)
    x, variance = post["x"][0], np.diag(covariance)
    slack = 0.05 if name == "low_rank" else 0.01
    allowed = (5.5 / np.sqrt(DRAWS) + slack) * np.sqrt(variance)
    assert (np.abs(x.mean(axis=0) - MEAN) < allowed).all()
    scale = np.sqrt(np.outer(variance, variance))
    off = np.abs(np.cov(x.T) - covariance) / scale
    assert (off < 5.5 * np.sqrt(2.0 / DRAWS) + 2.0 * slack).all()
    assert post.khat < 0.3
    exact = 0.5 * np.linalg.slogdet(2.0 * np.pi * covariance)[1]
    assert abs(post.draws.attrs["log_evidence_bound"] - exact) < 0.01


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "reparametrised"},
        {"estimator": "closed_form_entropy"},
        {"objective": "iwae", "samples": 8},
        {"optimiser": "adamw", "schedule": "one_cycle", "tune": 5000},
        {"optimiser": "sgd", "learning_rate": 0.005, "schedule": "cosine", "tune": 5000},
        {"kl_warmup": 500, "clip_norm": 10.0},
    ],
    ids=str,
)
def test_every_setting_leads_there(settings: dict[str, Any]) -> None:
    """Mean and sd of the normal target within 10 % of a sd."""
    post = bdl.fit(independent, 0.0, method="vi", draws=4000, **settings, **QUIET)
    sd = np.sqrt(np.diag(COVARIANCE))
    assert (np.abs(post["x"][0].mean(axis=0) - MEAN) < 0.1 * sd).all()
    assert (np.abs(post["x"][0].std(axis=0) / sd - 1.0) < 0.1).all()


def regression(x: Any, y: Any = None) -> None:
    """Conjugate but for the noise."""
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(slope * x, 0.5), obs=y)


def test_minibatches_find_what_all_rows_say() -> None:
    """Posterior mean within a quarter, sd within a fifth of the sd; a minibatch gives no k-hat."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    y = 0.7 * x + 0.5 * rng.normal(size=500)
    precision = 1.0 + (x @ x) / 0.25
    mean, sd = (x @ y) / 0.25 / precision, precision**-0.5
    post = bdl.fit(regression, x, y, method="vi", batch_size=50, draws=4000, **QUIET)
    assert abs(post["slope"].mean() - mean) < 0.25 * sd
    assert abs(post["slope"].std() / sd - 1.0) < 0.2
    assert post.khat is None
    assert "log_evidence_bound" not in post.draws.attrs


@pytest.mark.parametrize("objective", ["iwae", Renyi(0.5)], ids=str)
def test_bounds_that_a_minibatch_does_not_estimate_are_refused(objective: Any) -> None:
    """The log of a mean is no sum over rows; nor is it where the model itself has a minibatch."""
    x, settings = np.linspace(-1.0, 1.0, 40), {"method": "vi", "objective": objective}

    def own(x: Any, y: Any = None) -> None:
        bdl.sample("slope", dist.Normal(bdl.sample("loc", dist.Flat()), 0.1))

    def part(x: Any, y: Any = None) -> None:
        slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", 400, minibatch=40):
            bdl.sample("y", dist.Normal(slope * x, 0.5), obs=y)

    cases: list[tuple[Any, dict[str, Any]]] = [
        (regression, {"batch_size": 10}),
        (regression, {"batch_size": 10, "guide": own}),
        (part, {}),
    ]
    for model, more in cases:
        with pytest.raises(ArgumentError, match="no such objective for minibatches") as caught:
            bdl.fit(model, x, x, **settings, **more, **QUIET)
        assert 'objective="elbo"' in str(caught.value)


def noise_by_row(x: Any, y: Any = None) -> None:
    """A line, with noise whose log is another line."""
    w = bdl.sample("w", dist.Normal(np.zeros(4), 1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(w[0] * x + w[1], bnp.exp(w[2] * x + w[3])), obs=y)


def test_rows_far_out_do_not_end_the_climb() -> None:
    """Rows at 30 sd have scales that a small step changes e-fold.

    Given y, standard normal noise of scale 0.6 has −0.5 log 2πe 0.36 = −0.91 nats a row, 400 rows
    −363; the guide is to be within 40 of it. Without a bound of the gradient it is further by 100.
    """
    rng = np.random.default_rng(0)
    x = np.append(rng.normal(size=398), [30.0, -30.0])
    y = 0.6 * rng.normal(size=400)
    y[398:] = 0.0
    settings = {"batch_size": 20, "samples": 1, "tune": 4000, "schedule": "cosine", **QUIET}

    def bound(**clip: Any) -> float:
        post = bdl.fit(noise_by_row, x, y, method="vi", draws=500, **settings, **clip)
        return float(post.draws.stats["elbo_estimate"].mean())

    assert bound() > -403.0
    assert bound(clip_ratio=None) < -503.0


def test_map_is_the_mode() -> None:
    """All draws are one point, which has no k-hat."""
    post = bdl.fit(correlated, 0.0, method="vi", guide="map", draws=3, **QUIET)
    np.testing.assert_allclose(post["x"][0], np.tile(MEAN, (3, 1)), atol=1e-3)
    assert post.khat is None


def test_map_by_lbfgs_alone_is_the_mode() -> None:
    """The start is the mode, and no step follows."""
    settings: dict[str, Any] = {"guide": "map", "init": "map", "tune": 0, "draws": 1}
    post = bdl.fit(correlated, 0.0, method="vi", **settings, **QUIET)
    np.testing.assert_allclose(post["x"][0, 0], MEAN, atol=1e-3)
    assert post.draws.attrs["optimisation_steps"] == 0


def test_it_is_finished_when_the_bound_no_longer_climbs(rng: np.random.Generator) -> None:
    noise = rng.normal(size=4000)
    level = np.tile(noise[:100], 40)
    assert VI().finished({"elbo": level})
    assert not VI().finished({"elbo": noise + 0.01 * np.arange(4000)})
    assert not VI().finished({"elbo": level[:2500]})
    assert not VI(schedule=Cosine()).finished({"elbo": level})
    assert not VI(kl_warmup=3000).finished({"elbo": level})
    assert VI(kl_warmup=1000).finished({"elbo": level})


@pytest.mark.parametrize("noise", ["normal", "outliers", "correlated"])
def test_climbs_end_neither_early_nor_late(noise: str) -> None:
    """20 climbs of 30 nats by exp(−n / 500), checked each 500 steps: all end with less than 0.15
    left and within 13 000 steps, half of them within 7000. Seeds 0 to 19."""
    stops = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        e = rng.normal(size=20_000)
        if noise == "outliers":
            e = rng.standard_t(2, size=20_000)
        elif noise == "correlated":
            e = e + 0.5 * np.convolve(rng.normal(size=20_000), 0.8 ** np.arange(50))[:20_000]
        bounds = e - 30.0 * np.exp(-np.arange(20_000) / 500.0)
        checks = range(500, 20_001, 500)
        stops.append(next(n for n in checks if VI().finished({"elbo": bounds[:n]})))
    assert 30.0 * np.exp(-min(stops) / 500.0) < 0.15
    assert max(stops) <= 13_000
    assert np.median(stops) <= 7000


@pytest.mark.slow
def test_fits_of_a_known_gaussian_end_close_to_it() -> None:
    """20 seeds, from 5 to 20 sds away: the divergence left is below 0.05 nats in each, and half of
    them take at most 12 000 of 20 000 steps."""
    steps = []
    for seed in range(20):
        settings: dict[str, Any] = {"guide": "full_rank", "random_seed": seed, "progressbar": False}
        attrs = bdl.fit(correlated, 0.0, method="vi", draws=2000, **settings).draws.attrs
        exact = 0.5 * np.linalg.slogdet(2.0 * np.pi * COVARIANCE)[1]
        assert exact - attrs["elbo"] < 0.05
        steps.append(attrs["optimisation_steps"])
    assert np.median(steps) <= 12_000


def test_a_warm_up_is_not_taken_for_the_end_of_a_climb() -> None:
    """The bound falls while the prior comes to count: 20 weights of sd 0.1 and 40 rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 20))
    y = x @ rng.normal(size=20) + 0.1 * rng.normal(size=40)

    def narrow(x: Any, y: Any) -> None:
        w = bdl.sample("w", dist.Normal(0.0, 0.1).expand((20,)).to_event(1))
        with bdl.plate("rows", 40):
            bdl.sample("y", dist.Normal(x @ w, 0.1), obs=y)

    steps = {"kl_warmup": 5000, "tune": 12_000, "samples": 1}
    post = bdl.fit(narrow, x, y, method="vi", draws=10, **steps, **QUIET)
    assert post.draws.attrs["optimisation_steps"] >= 8000


def test_it_is_broken_when_nothing_finite_comes(rng: np.random.Generator) -> None:
    """Single steps do not count; the step is the first after the last good one."""
    bounds = rng.normal(size=100)
    bounds[50] = np.nan
    assert VI().broken({"elbo": bounds}) is None
    bounds[90:] = -np.inf
    assert VI().broken({"elbo": bounds}) == 90
    assert VI().finished({"elbo": bounds})


def of_plate(x: Any, y: Any) -> None:
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", 50):
        bdl.sample("y", dist.Normal(slope * x, 0.5), obs=y)


def of_classes(x: Any, y: Any) -> None:
    f = nn.MLP(hidden=(2,), out=3)(x[:, None])
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Categorical(logits=f), obs=y)


@pytest.mark.parametrize(
    ("model", "y", "settings", "code", "line"),
    [
        (of_plate, np.zeros(40), {}, "M104", "bdl.sample("),
        (regression, np.zeros(40), {"batch_size": 41}, "S106", "bdl.fit("),
        (regression, np.zeros(40), {"batch_size": 0}, "A108", "bdl.fit("),
        (of_classes, np.arange(40) % 4, {}, "M106", "bdl.sample("),
        (of_classes, np.arange(40) % 3, {"method": "mc_dropout", "rate": 0.0}, "A108", "bdl.fit("),
        (of_classes, np.arange(40) % 3, {"method": "mc_dropout", "rate": 1.0}, "A108", "bdl.fit("),
    ],
    ids=["plate", "batch", "no batch", "labels", "rate 0", "rate 1"],
)
def test_what_does_not_fit_is_refused_with_the_users_line(
    model: Any, y: Any, settings: dict[str, Any], code: str, line: str
) -> None:
    with pytest.raises(BayesdlError) as caught:
        bdl.fit(model, np.ones(40), y, **{"method": "vi", **settings}, **QUIET)
    assert caught.value.code == code
    said = next(part for part in str(caught.value).splitlines() if part.startswith("  At "))
    assert "test_vi.py:" in said
    assert line in said

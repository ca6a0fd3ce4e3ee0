"""fit: its arguments, its errors, and what each method finds on a Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError, BayesdlError, ModelError, SampleError
from bayesdl.criticism.convergence import mcse_mean

BAD: list[dict[str, Any]] = [
    {"draws": 0},
    {"chains": 1.5},
    {"target_accept": 1.0},
    {"method": "nutz"},
    *({"max_treedepth": bad} for bad in (0, -1, 2.5, True, "10")),
    *({"method": "hmc", "path_length": bad} for bad in (0.0, -1, float("inf"), float("nan"), "1")),
    *({"method": "hmc", "max_steps": bad} for bad in (0, -3, 2.5)),
    *({"max_memory": bad} for bad in ("1GB", 0, -1.0, float("nan"), True)),
]
QUIET: dict[str, Any] = {"random_seed": 3, "progressbar": False}


def gaussian() -> None:
    bdl.sample("x", dist.Normal(np.array([1.0, -2.0]), np.array([0.5, 3.0])).to_event(1))


@pytest.mark.parametrize("method", ["nuts", "hmc"])
def test_markov_chains_find_the_moments(method: str) -> None:
    """|z| < 5 for two means and two sds: a false alarm in 2e-6 of seeds; the seed is fixed."""
    x = bdl.fit(gaussian, method=method, draws=1500, tune=500, **QUIET)["x"]
    from_target = (x - [1.0, -2.0]) / [0.5, 3.0]
    for i in range(2):
        z = from_target[..., i]
        assert abs(z.mean()) < 5.0 * mcse_mean(z)
        assert abs((z**2).mean() - 1.0) < 5.0 * mcse_mean(z**2)


def test_advi_recovers_independent_gaussians() -> None:
    post = bdl.fit(gaussian, method="advi", draws=4000, **QUIET)
    x = post["x"][0]
    np.testing.assert_allclose(x.mean(0), [1.0, -2.0], atol=0.25)
    np.testing.assert_allclose(x.std(0), [0.5, 3.0], rtol=0.1)
    # The guide holds the posterior, so the ELBO is the log evidence: zero for a normalised density.
    assert post.draws.attrs["elbo"] == pytest.approx(0.0, abs=0.05)


def stop_after(count: int) -> Any:
    def interrupt(record: dict[str, Any]) -> None:
        if record["done"] > count:
            raise KeyboardInterrupt

    return interrupt


def test_ctrl_c_in_the_warmup_says_what_was_lost() -> None:
    with pytest.raises(SampleError, match="stopped in its warm-up") as caught:
        bdl.fit(gaussian, tune=5000, random_seed=3, progressbar=stop_after(0))
    assert "of 5000 iterations, by chain" in str(caught.value)
    assert "s of sampling" in str(caught.value)
    assert "test_fit.py" in str(caught.value)


def test_ctrl_c_after_the_warmup_warns_and_returns_equal_chains() -> None:
    with pytest.warns(
        RuntimeWarning, match=r"stopped by hand: \d of 4 chains are kept, \d+ of"
    ) as said:
        post = bdl.fit(gaussian, tune=20, draws=50_000, random_seed=3, progressbar=stop_after(2000))
    assert said[0].filename == __file__
    assert post.draws.attrs["interrupted"]
    assert 0 < post["x"].shape[1] < 50_000
    whole = bdl.fit(gaussian, tune=20, draws=post["x"].shape[1], **QUIET)
    assert all(any(np.array_equal(c, w) for w in whole["x"]) for c in post["x"])


def test_ctrl_c_in_an_optimisation_ends_it_and_draws() -> None:
    with pytest.warns(RuntimeWarning, match="1 of 1 chains are kept, 100 of 100 draws each"):
        post = bdl.fit(
            gaussian, method="advi", draws=100, random_seed=3, progressbar=stop_after(1000)
        )
    assert post["x"].shape == (1, 100, 2)
    assert 1000 < post.draws.attrs["optimisation_steps"] < 3000


def network(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(8,))(x)[:, 0]
    bdl.sample("y", dist.Normal(f, 0.3), obs=y)


def rows(n: int) -> tuple[Any, Any]:
    x = np.linspace(-1.0, 1.0, n)[:, None]
    return x, np.sin(3.0 * x[:, 0])


def test_mc_dropout_learns_and_stays_stochastic() -> None:
    x, y = rows(60)
    post = bdl.fit(network, x, y, method="mc_dropout", rate=0.1, tune=3000, draws=300, **QUIET)
    mean = post.predict(x, kind="mean")["y"][0]
    assert np.sqrt(((mean.mean(0) - y) ** 2).mean()) < 0.3 < y.std()
    dropped = (post["mlp.1.weight"][0] == 0.0).mean()
    assert dropped == pytest.approx(0.1, abs=0.05)


def test_mc_dropout_needs_a_network() -> None:
    with pytest.raises(ModelError, match="this method needs a network"):
        bdl.fit(gaussian, method="mc_dropout", **QUIET)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("num_samples", "draws"), ("num_warmup", "tune"), ("adapt_delta", "target_accept")],
)
def test_unknown_arguments_are_answered_with_the_right_one(wrong: str, meant: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        bdl.fit(gaussian, **{wrong: 10})
    assert caught.value.fix == f"did you mean `{meant}`?"


@pytest.mark.parametrize("bad", BAD)
def test_arguments_out_of_range_are_refused_at_once(bad: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError) as caught:
        bdl.fit(gaussian, **bad)
    (name,) = set(bad) - {"method"} or {"method"}
    assert name in caught.value.headline
    assert caught.value.fix


def test_numbers_of_other_kinds_are_taken() -> None:
    few: dict[str, Any] = {**QUIET, "draws": 5, "tune": 5, "chains": 1}
    bdl.fit(gaussian, max_treedepth=np.int64(3), max_memory=np.float32(1e9), **few)
    bdl.fit(gaussian, method="hmc", path_length=2, max_steps=np.int32(3), **few)


def test_a_limit_of_steps_that_is_reached_is_a_statistic_and_a_verdict() -> None:
    """Of trajectories a hundred times as long as the posterior is wide."""
    asked: dict[str, Any] = {**QUIET, "method": "hmc", "draws": 200, "tune": 200}
    post = bdl.fit(gaussian, path_length=100.0, max_steps=5, **asked)
    assert post.draws.stats["reached_max_steps"].all()
    assert (post.draws.stats["n_steps"] == 5).all()
    assert "reached_max_steps" in post.draws.attrs["attention"]
    assert "step limit of 5" in str(post.verdict())
    post = bdl.fit(gaussian, **asked)
    assert not post.draws.stats["reached_max_steps"].any()
    assert post.verdict().attrs()["reached_max_steps"] == 0.0


def test_nuts_refuses_a_minibatch() -> None:
    def part(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", 100, minibatch=10):
            bdl.sample("y", dist.Normal(mu, 1.0), obs=y)

    with pytest.raises(SampleError, match="cannot run on a minibatch"):
        bdl.fit(part, np.zeros(10), **QUIET)


@pytest.mark.parametrize("method", ["nuts", "hmc"])
def test_markov_chains_refuse_parameters_without_a_prior(method: str) -> None:
    """At once, with the site, the layer and what to write."""

    def model(x: Any, y: Any) -> None:
        f = nn.Linear(1, "out", prior=None)(x)[:, 0]
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    with pytest.raises(SampleError) as caught:
        bdl.fit(model, np.ones((3, 1)), np.zeros(3), method=method)
    message = str(caught.value)
    assert f"{method} cannot draw parameter \"out.weight\" of layer 'out'" in message
    for part in ("out.weight, out.bias", 'method="vi"', 'nn.Linear(1, "out"', "[S109]"):
        assert part in message


def test_a_density_that_is_nowhere_finite_names_the_site_and_the_operation() -> None:
    def broken() -> None:
        x = bdl.sample("x", dist.Normal(0.0, 1.0))
        bdl.factor("f", bdl.numpy.log(-1.0 - x * x))

    with pytest.raises(BayesdlError) as caught:
        bdl.fit(broken, **QUIET)
    text = str(caught.value)
    assert text.startswith("the log density is nan at the last of the starting positions tried.")
    for part in ("`log`", "test_fit.py", "gradient norm"):
        assert part in text

"""Bounds of the evidence, and runs that broke down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import constraints, dist, nn
from bayesdl._base.errors import SampleError
from bayesdl._base.tree import flatten
from bayesdl.infer.evidence import evidence_bounds
from bayesdl.infer.run import compile_kernel, run
from bayesdl.infer.starts import starting_positions
from bayesdl.infer.vi.vi import VI
from bayesdl.model.density import build_density

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}


def line(x: Any, y: Any) -> None:
    """Conjugate: its evidence is a formula."""
    slope = bdl.sample("slope", dist.Normal(0.0, 1.0))
    bdl.sample("y", dist.Normal(slope * x, 0.5), obs=y)


def test_bounds_meet_the_evidence_of_a_conjugate_model() -> None:
    x = np.linspace(-1.0, 1.0, 10)
    y = 0.7 * x + 0.1 * np.sin(9.0 * x)
    covariance = np.outer(x, x) + 0.25 * np.eye(10)
    exact = -0.5 * (
        y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(2.0 * np.pi * covariance)[1]
    )
    attrs = bdl.fit(line, x, y, method="vi", draws=1000, **QUIET).draws.attrs
    assert attrs["elbo"] <= attrs["log_evidence_bound"] + 1e-12
    assert abs(attrs["elbo"] - exact) < 1e-3
    assert abs(attrs["log_evidence_bound"] - exact) < 1e-4


def test_no_bound_without_weights() -> None:
    assert evidence_bounds({"lp": np.zeros((1, 3))}) == {}
    assert evidence_bounds({"elbo": np.array([[0.0, np.nan]])}) == {}
    assert "log_evidence_bound" not in evidence_bounds({"elbo_estimate": np.zeros((1, 3))})


def cliff(y: Any) -> None:
    """Finite below 2 alone, and the climb leads out of there."""
    x = bdl.sample("x", dist.Normal(0.0, 1.0))
    bdl.factor("cliff", 5.0 * x + 0.0 * np.log(2.0 - x) + 0.0 * y)


def lost(model: Any, **settings: Any) -> Any:
    """The error of a fit that loses its way, and the step from which on it is lost."""
    with pytest.raises(SampleError, match="is not finite from step") as caught:
        bdl.fit(model, 0.0, method="vi", draws=500, **settings, **QUIET)
    assert caught.value.code == "S107"
    step = int(str(caught.value).partition("from step ")[2].partition(" ")[0])
    return caught.value, step


SETTINGS: list[dict[str, Any]] = [
    {},
    {"guide": "map"},
    {"guide": "planar", "learning_rate": 0.005},
    {"objective": "iwae", "estimator": "doubly_reparametrised"},
    {"estimator": "closed_form_kl"},
    {"kl_warmup": 50},
    {"optimiser": "sgd", "learning_rate": 0.005},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_an_objective_that_is_lost_stops_with_the_step_the_site_and_the_operation(
    settings: dict[str, Any],
) -> None:
    error, _ = lost(cliff, **settings)
    rows = {row[0]: row[1:] for row in error.facts}
    assert float(rows["x"][0].strip("[]")) > 2.0
    assert rows["cliff"][1] == "nan"
    assert rows["first non-finite operation"][0] == "`log`"
    assert "test_evidence.py:" in rows["first non-finite operation"][1]
    assert "0.0 * np.log(2.0 - x)" in str(error.where)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_state_that_is_kept_is_that_of_the_last_finite_step(settings: dict[str, Any]) -> None:
    """Bit by bit what a run has that ends there: parameters, average, moments. Hundreds of steps
    that are lost, and 500 draws, come after."""
    error, step = lost(cliff, **settings)
    assert error.run.warmup["elbo"].shape[1] >= step + 10
    density = build_density(cliff, (0.0,))
    kernel, target = VI.prepared(density, settings)
    start = starting_positions(
        density, 1, np.random.default_rng(np.random.SeedSequence(1).spawn(2)[0]), jitter=0.1
    )
    keys = np.random.SeedSequence(1).spawn(2)[1].generate_state(2, np.uint32).reshape(1, 2)
    compiled = compile_kernel(kernel, target)
    good = run(compiled, kernel, target, start.positions, keys, tune=step, draws=1).states[0]
    kept = error.run.states[0]
    for name in ("params", "average", "optimiser", "baseline", "usual"):
        ours, theirs = (flatten(getattr(state, name))[0] for state in (kept, good))
        assert all(map(np.array_equal, ours, theirs)), name
    assert (kept.course.made, kept.course.lost) == (good.course.made, 10)


def test_draws_of_the_last_good_guide_lie_where_the_density_is_finite() -> None:
    """All of a point, and most of a guide that reaches over the cliff by nature."""
    (point, _), (guide, _) = lost(cliff, guide="map"), lost(cliff)
    x = point.run.values["x"]
    assert np.unique(x).size == 1
    assert 1.5 < x.max() < 2.0
    mean = guide.run.states[0].average["mean"][0]
    assert 1.3 < mean < 2.0
    assert (guide.run.values["x"] < 2.0).mean() > 0.6


def test_an_operation_of_a_guide_of_ones_own_is_named() -> None:
    def narrowing(y: Any) -> None:
        loc = bdl.sample("loc", dist.Flat())
        bdl.sample("x", dist.Normal(loc + 0.0 * np.log(1.0 - loc), 0.1))

    error, _ = lost(cliff, guide=narrowing)
    (row,) = error.facts
    assert row[:2] == ("first non-finite operation", "`log`")
    assert "np.log(1.0 - loc)" in str(error.where)
    assert 0.5 < error.run.values["x"].mean() < 1.0


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "score_function", "samples": 1},
        {"estimator": "score_function"},
        {"estimator": "enumeration"},
    ],
    ids=str,
)
def test_what_a_guide_with_discrete_unknowns_lost_is_found(settings: dict[str, Any]) -> None:
    """Its running baselines are of the last finite step, as all else."""

    def switched(y: Any) -> None:
        z = bdl.sample("z", dist.Bernoulli(0.3))
        x = bdl.sample("x", dist.Normal(0.0, 1.0))
        bdl.factor("cliff", 5.0 * x + 0.1 * z + 0.0 * np.log(2.0 - x) + 0.0 * y)

    def guide(y: Any) -> None:
        bdl.sample("z", dist.Bernoulli(bdl.param("p", support=constraints.unit_interval)))
        bdl.sample("x", dist.Normal(bdl.param("loc"), 0.1))

    error, _ = lost(switched, guide=guide, **settings)
    rows = {row[0]: row[1:] for row in error.facts}
    assert rows["first non-finite operation"][0] == "`log`"
    assert "0.0 * np.log(2.0 - x)" in str(error.where)
    assert (error.run.values["x"] < 2.0).mean() > 0.6
    state = error.run.states[0]
    assert all(np.isfinite(leaf).all() for leaf in flatten((state.params, state.baseline))[0])


@pytest.mark.parametrize("estimator", ["local_reparametrised", "flipout"])
@pytest.mark.parametrize(("batch_size", "point"), [(None, False), (8, False), (None, True)])
def test_what_has_noise_in_the_sums_of_layers_is_found_too(
    estimator: str, batch_size: int | None, point: bool
) -> None:
    def net(x: Any, y: Any) -> None:
        f = nn.MLP(hidden=(5,), out=1)(x)[:, 0]
        if point:
            s = bdl.param("s", support=constraints.positive)
        else:
            s = bdl.sample("s", dist.HalfNormal(1.0))
        bdl.factor("edge", 500.0 * s + 0.0 * np.log(3.0 - s))
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    x = np.random.default_rng(0).normal(size=(40, 2))
    settings = {"estimator": estimator, "batch_size": batch_size}
    with pytest.raises(SampleError, match="is not finite from step") as caught:
        bdl.fit(net, x, x[:, 0], method="vi", draws=100, **settings, **QUIET)
    rows = {row[0]: row[1:] for row in caught.value.facts}
    assert float(rows["s"][0].strip("[]")) > 3.0
    assert rows["first non-finite operation"][0] == "`log`"
    assert (caught.value.run.values["s"] < 3.0).mean() > 0.6  # type: ignore[attr-defined]


def test_a_step_that_leads_to_no_number_is_said() -> None:
    error, step = lost(cliff, guide="map", learning_rate=1e308)
    assert step == 1
    assert error.facts == [("not finite", "the change of what is optimised, in the step before")]
    assert np.isfinite(error.run.values["x"]).all()


def test_single_steps_are_passed_over() -> None:
    """Where a tenth of all draws have no density, steps that meet one change nothing."""

    def holes(y: Any) -> None:
        x = bdl.sample("x", dist.Normal(0.0, 1.0))
        bdl.factor("hole", 0.0 * np.log(np.abs(x - 1.0) - 0.2) + 0.0 * y)

    post = bdl.fit(holes, 0.0, method="vi", samples=1, draws=4000, random_seed=3, progressbar=False)
    assert abs(post["x"].mean()) < 0.1
    assert abs(post["x"].std() - 1.0) < 0.1

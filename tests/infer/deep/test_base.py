"""What the methods of the dropout family share."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError, SampleError
from bayesdl._base.tree import flatten
from bayesdl.infer.deep._base import DropoutKernel
from bayesdl.infer.methods import KERNELS
from bayesdl.infer.optim.rates import Cosine
from bayesdl.infer.run import compile_kernel, run
from bayesdl.infer.starts import starting_positions
from bayesdl.model.density import build_density

FAMILY = [name for name, kind in KERNELS.items() if issubclass(kind, DropoutKernel)]
QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}


def cliff(x: Any, y: Any) -> None:
    """Finite for a scale below 3 alone, and the climb leads out of there."""
    f = nn.MLP(hidden=(5,), out=1)(x)[:, 0]
    s = bdl.sample("s", dist.HalfNormal(1.0))
    bdl.factor("edge", 500.0 * s + 0.0 * np.log(3.0 - s))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 1.0), obs=y)


@pytest.fixture(scope="module")
def data() -> Any:
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    return x, x[:, 0]


@pytest.fixture(scope="module", params=FAMILY)
def lost(request: pytest.FixtureRequest, data: Any) -> Any:
    """A method, the error of a fit that loses its way, and the step from which on it is lost."""
    with pytest.raises(SampleError, match="is not finite from step") as caught:
        bdl.fit(cliff, *data, method=request.param, draws=20, **QUIET)
    step = int(str(caught.value).partition("from step ")[2].partition(" ")[0])
    return request.param, caught.value, step


def test_an_objective_that_is_lost_stops_with_step_site_and_operation(lost: Any) -> None:
    _, error, _ = lost
    assert error.code == "S107"
    rows = {row[0]: row[1:] for row in error.facts}
    assert float(rows["s"][0].strip("[]")) > 3.0
    assert rows["edge"][1] == "nan"
    assert rows["first non-finite operation"][0] == "`log`"
    assert "0.0 * np.log(3.0 - s)" in str(error.where)
    assert "learning_rate" in error.fix


def test_draws_come_from_the_last_good_state(lost: Any) -> None:
    _, error, step = lost
    assert error.run.warmup["lp_estimate"].shape[1] >= step + 10
    assert (error.run.values["s"] < 3.0).all()
    assert (error.run.values["s"] > 2.0).all()


@pytest.mark.parametrize("averaging", [True, False])
def test_the_state_that_is_kept_is_that_of_the_last_finite_step(
    lost: Any, data: Any, averaging: bool
) -> None:
    """Bit by bit what a run has that ends there; and without an average it is a good place too."""
    method, error, step = lost
    density = build_density(cliff, data, dtype=np.float32)
    kernel, target = KERNELS[method].prepared(density, {"averaging": averaging})
    starts, chains = np.random.SeedSequence(1).spawn(2)
    start = starting_positions(density, 1, np.random.default_rng(starts), jitter=0.1).positions
    keys = chains.generate_state(2, np.uint32).reshape(1, 2)
    compiled = compile_kernel(kernel, target)
    good = run(compiled, kernel, target, start, keys, tune=step, draws=1).states[0]
    kept = error.run.states[0]
    for name in ("trained", "moments", "usual", *(["average"] if averaging else [])):
        ours, theirs = (flatten(getattr(state, name))[0] for state in (kept, good))
        assert all(map(np.array_equal, ours, theirs)), name
    assert (kept.course.made, kept.course.lost) == (step, 10)
    here = density.constrain(good.average[: density.dim], *density.data)
    assert 2.0 < float(here["s"]) < 3.0


@pytest.mark.parametrize("method", FAMILY)
def test_names_become_records(method: str, data: Any) -> None:
    kernel, _ = KERNELS[method].prepared(build_density(cliff, data), {"schedule": "cosine"})
    assert kernel.schedule == Cosine()  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", FAMILY)
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"schedule": 0.1}, "a name, or a record: Rate"),
        ({"learning_rate": -1.0}, "a number above 0"),
        ({"clip_ratio": 0.0}, "a number above 0"),
        ({"batch_size": 0}, "whole numbers from 1 on"),
        ({"averaging": "yes"}, "True, False"),
        ({"rate": "high"}, "rate must lie between 0 and 1"),
    ],
)
def test_what_is_wrong_is_said_at_once(
    method: str, settings: dict[str, Any], says: str, data: Any
) -> None:
    with pytest.raises(ArgumentError, match=re.escape(says)) as caught:
        bdl.fit(cliff, *data, method=method, **settings, **QUIET)
    assert caught.value.code == "A108"
    assert "test_base.py" in str(caught.value.where)


def test_spikes_of_the_gradient_are_shortened(data: Any) -> None:
    """One row of 40 lies a million sds out: the step that meets it is no longer than ten others."""

    def plain(x: Any, y: Any) -> None:
        f = nn.MLP(hidden=(5,), out=1)(x)[:, 0]
        with bdl.plate("rows", x.shape[0]):
            bdl.sample("y", dist.Normal(f, 1.0), obs=y)

    x, y = data[0], np.where(np.arange(40) == 7, 1e6, data[1]).astype(np.float32)
    settings = {"method": "mc_dropout", "batch_size": 1, "tune": 39, "draws": 1, "rate": 0.01}

    def moved(**clip: Any) -> float:
        found = bdl.fit(plain, x, y, **settings, **clip, random_seed=2, progressbar=False)
        return float(np.abs(found["mlp.1.bias"]).max())

    assert moved() < moved(clip_ratio=None)

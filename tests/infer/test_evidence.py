"""Bounds of the evidence, and runs that broke down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import SampleError
from bayesdl.infer.evidence import evidence_bounds

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


def test_an_objective_that_is_lost_stops_with_the_step_and_the_operation() -> None:
    """The density is finite near the start alone, and the climb leads out of there."""

    def cliff(y: Any) -> None:
        x = bdl.sample("x", dist.Normal(0.0, 1.0))
        bdl.factor("cliff", 5.0 * x + 0.0 * np.log(2.0 - x) + 0.0 * y)

    with pytest.raises(SampleError) as caught:
        bdl.fit(cliff, 0.0, method="vi", draws=50, **QUIET)
    text = str(caught.value)
    assert "is not finite from step" in text
    assert "`log`" in text
    assert caught.value.run.values["x"].shape == (1, 50)  # type: ignore[attr-defined]

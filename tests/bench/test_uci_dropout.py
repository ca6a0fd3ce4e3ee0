"""The protocol of MC dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from bayesdl.bench import uci_dropout
from bayesdl.bench.uci_dropout import Protocol, _log_density, _start
from bayesdl.bench.uci_sets import Split


@pytest.fixture(scope="module")
def split() -> Split:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(250, 3))
    y = np.sin(x[:, 0]) + 0.1 * rng.normal(size=250)
    return Split(x[:200], y[:200], x[200:], y[200:], 2.0)


def test_log_density_is_of_the_mixture_of_passes() -> None:
    rng = np.random.default_rng(1)
    means, y = rng.normal(size=(40, 5)).astype(np.float32), rng.normal(size=5)
    expected = logsumexp(norm(means, 0.3).logpdf(y), axis=0) - np.log(40)
    np.testing.assert_allclose(_log_density(means, y, 0.3), expected, rtol=1e-5)


def test_the_penalty_is_that_of_the_protocol(split: Split) -> None:
    """Log density − N τ' / 2 (mean squared error + l² (1 − p) / (2 N τ) w²), up to a constant."""
    protocol = Protocol("yacht", "2018")
    target = protocol._target(split.x, split.y, split.spread, 0.1, 0.5)
    full = target.minibatch.full
    weights = np.zeros(target.dim, np.float32)
    weights[target.weights[0].slice] = 200.0
    prior = full.site_log_densities(weights / 0.9, *full.data)["net.0.weight"]
    none = full.site_log_densities(0.0 * weights, *full.data)["net.0.weight"]
    noise_precision = 0.5 * split.spread**2
    squares = float(np.sum(weights[target.weights[0].slice] ** 2))
    penalty = 1e-4 * 0.9 / (2 * 200 * 0.5) * squares
    expected = -0.5 * 200 * noise_precision * penalty
    assert 0.9 * float(prior - none) == pytest.approx(expected, rel=1e-4)


def test_it_learns_and_compiles_once(split: Split) -> None:
    """A thousandth of the protocol's passes and a twentieth of its epochs are enough for a sine."""
    protocol = Protocol("yacht", "learned", epochs=200, passes=50)
    score = protocol.score(split, 0)
    assert score.rmse < 2.0 * 0.35
    assert score.steps == 4 * 200 * 2 + 200 * 2
    assert len(protocol._trainings) == 2
    assert len(protocol._predictions) == 2


def test_no_step_is_left_out(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 000, though so much noise leaves nothing to climb."""
    made: list[int] = []
    loop = uci_dropout.run

    def counted(*args: Any, **kwargs: Any) -> Any:
        found = loop(*args, **kwargs)
        made.append(found.iterations[0] - 1)
        return found

    monkeypatch.setattr(uci_dropout, "run", counted)
    protocol = Protocol("yacht", "2018")
    target = protocol._target(split.x, split.y, split.spread, 0.1, 1e-8)
    protocol._trained(target, 10_000, np.random.default_rng(0))
    assert made == [10_000]


def test_wider_grids_hold_the_published_one() -> None:
    published = {p for (p,) in Protocol("energy", "2018")._grid()}
    assert published == {0.25, 0.5, 0.75}
    assert published < {p for (p,) in Protocol("energy", "wide")._grid()}


def test_starts_leave_biases_at_zero(split: Split) -> None:
    target = Protocol("yacht", "2018")._target(split.x, split.y, 1.0, 0.1, 0.5)
    start = _start(target, np.random.default_rng(0))[0]
    moved = np.zeros(target.dim, bool)
    for w in target.weights:
        moved[w.slice] = True
    assert (start[~moved] == 0.0).all()
    assert (start[moved] != 0.0).all()

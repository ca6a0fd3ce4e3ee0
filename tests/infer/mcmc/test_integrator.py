"""The leapfrog step."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.infer.mcmc.integrator import Point, energy, leapfrog
from bayesdl.infer.mcmc.metric import Diagonal

UNIT = Diagonal(np.ones(2))


def quartic(q: Any) -> Any:
    return -0.25 * (q**4).sum(), -(q**3)


def start() -> Point:
    q = np.array([0.7, -1.2])
    p = np.array([0.3, 0.5])
    return Point(q, p, quartic(q)[1])


def total(point: Point) -> Any:
    return energy(point.momentum, quartic(point.position)[0], UNIT)


def test_is_reversible() -> None:
    point = start()
    for step in (0.1, -0.1):
        for _ in range(50):
            point, place = leapfrog(point, quartic, step, UNIT)
    np.testing.assert_array_equal(place.gradient, quartic(place.position)[1])
    np.testing.assert_allclose(point.position, start().position, atol=1e-12)
    np.testing.assert_allclose(point.momentum, start().momentum, atol=1e-12)


def test_energy_error_is_of_third_order() -> None:
    """Of one step: an eighth when the step is halved."""
    before = total(start())
    errors = [abs(total(leapfrog(start(), quartic, h, UNIT)[0]) - before) for h in (0.02, 0.01)]
    assert 6.5 < errors[0] / errors[1] < 9.5


def test_keeps_volume() -> None:
    h, base = 1e-6, np.concatenate([start().position, start().momentum])

    def move(z: Any) -> Any:
        end, _ = leapfrog(Point(z[:2], z[2:], quartic(z[:2])[1]), quartic, 0.3, UNIT)
        return np.concatenate([end.position, end.momentum])

    columns = [(move(base + h * e) - move(base - h * e)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose(np.linalg.det(np.array(columns)), 1.0, atol=1e-8)


def test_energy_that_is_not_a_number_is_infinite() -> None:
    assert energy(np.ones(2), np.nan, UNIT) == np.inf

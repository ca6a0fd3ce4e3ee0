"""float32 and float64: what is the default, and that float32 loses no rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import bayesdl as bdl
from bayesdl import dist, nn

QUIET: dict[str, Any] = {"random_seed": 3, "progressbar": False}
BOTH = (np.float32, np.float64)


def gaussian() -> None:
    bdl.sample("x", dist.Normal(np.array([1.0, -2.0]), np.array([0.5, 3.0])).to_event(1))


def network(x: Any, y: Any = None) -> None:
    f = nn.MLP(hidden=(8,))(x)[:, 0]
    bdl.sample("y", dist.Normal(f, 0.3), obs=y)


def rows() -> tuple[Any, Any]:
    x = np.linspace(-1.0, 1.0, 60)[:, None]
    return x, np.sin(3.0 * x[:, 0])


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("method", ["nuts", "hmc", "advi"])
def test_moments_of_a_gaussian_in_either(method: str, dtype: Any) -> None:
    """Means and sds of 4000 draws whose ESS is over 1000: 0.16 sd is exceeded less than 1e-6."""
    many = {"draws": 4000} if method == "advi" else {"draws": 1000, "tune": 500}
    post = bdl.fit(gaussian, method=method, dtype=dtype, **many, **QUIET)
    assert post["x"].dtype == dtype
    z = (post["x"].reshape(-1, 2) - [1.0, -2.0]) / [0.5, 3.0]
    assert (np.abs(z.mean(axis=0)) < 0.16).all()
    assert (np.abs(z.std(axis=0) - 1.0) < 0.16).all()


@pytest.mark.parametrize("method", ["advi", "mc_dropout"])
def test_optimised_networks_are_float32_and_as_good(method: str) -> None:
    """Random numbers differ, so fits do: errors of eight of each, |t| > 8 in 1 of 700 000."""
    x, y = rows()
    options = {"rate": 0.02} if method == "mc_dropout" else {}
    settings = {"method": method, "tune": 1500, "draws": 200, "progressbar": False, **options}

    def error(dtype: Any, seed: int) -> float:
        post = bdl.fit(network, x, y, dtype=dtype, random_seed=seed, **settings)
        assert post["mlp.0.weight"].dtype == (dtype or np.float32)
        mean = post.predict(x, kind="mean")["y"][0].mean(axis=0)
        return float(np.sqrt(((mean - y) ** 2).mean()))

    single, double = ([error(dtype, seed) for seed in range(8)] for dtype in (None, np.float64))
    assert abs(stats.ttest_ind(single, double).statistic) < 8.0


def test_all_else_is_float64() -> None:
    assert bdl.fit(gaussian, method="advi", tune=10, draws=5, **QUIET)["x"].dtype == np.float64
    short = {"tune": 5, "draws": 5, "chains": 1, **QUIET}
    assert bdl.fit(network, *rows(), **short)["mlp.0.weight"].dtype == np.float64


def test_a_million_rows_in_float32(rng: np.random.Generator) -> None:
    """Log density and gradient agree with float64 to 1e-5, far better than a plain running sum."""

    def normal(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 10.0))
        sigma = bdl.sample("sigma", dist.HalfNormal(5.0))
        bdl.sample("y", dist.Normal(mu, sigma).expand((y.shape[0],)), obs=y)

    y = 3.0 + rng.normal(size=1_000_000)
    single, double = (bdl.log_density(normal, y, dtype=d) for d in BOTH)
    for position in ([3.0, 0.1], [2.9, 0.1], [0.0, 1.0]):
        value, gradient = single.value_and_grad(np.array(position, np.float32))
        expected, slope = double.value_and_grad(np.array(position, np.float32).astype(float))
        assert value == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5 * np.abs(slope).max())

"""Mixtures, a Gaussian process, a differential equation."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints, dist
from bayesdl.model import model
from bayesdl.model.statements import factor, observe, sample
from bayesdl.ops import numpy as bnp
from bayesdl.solvers import odeint

from ._registry import Data, array, posterior


@model
def gaussian_mixture(y: Any) -> None:
    """Two marginalised normal components in order."""
    mu = sample("mu", dist.ImproperUniform(constraints.ordered, event_shape=(2,)))
    sigma = sample("sigma", dist.HalfNormal(2.0).expand((2,)).to_event(1))
    theta = sample("theta", dist.Beta(5.0, 5.0))
    factor("mu_prior", bnp.sum(dist.Normal(0.0, 2.0).log_prob(mu)))
    first = bnp.log(theta) + dist.Normal(mu[0], sigma[0]).log_prob(y)
    second = bnp.log1p(-theta) + dist.Normal(mu[1], sigma[1]).log_prob(y)
    factor("y", bnp.sum(bnp.logaddexp(first, second)))


@posterior("low_dim_gauss_mix-low_dim_gauss_mix")
def _(data: Data) -> Any:
    return gaussian_mixture, (array(data, "y"),)


@model
def gp_regression(x: Any, y: Any) -> None:
    """Gaussian-process regression with its latent function integrated out."""
    rho = sample("rho", dist.Gamma(25.0, 4.0))
    alpha = sample("alpha", dist.HalfNormal(2.0))
    sigma = sample("sigma", dist.HalfNormal(1.0))
    distance = (x[:, None] - x[None, :]) ** 2
    covariance = alpha**2 * bnp.exp(-0.5 * distance / rho**2) + sigma * bnp.eye(x.shape[0])
    observe("y", dist.MultivariateNormal(bnp.zeros(x.shape[0]), covariance=covariance), y)


@posterior("gp_pois_regr-gp_regr")
def _(data: Data) -> Any:
    return gp_regression, (array(data, "x"), array(data, "y"))


@model
def lotka_volterra(times: Any, first: Any, later: Any) -> None:
    """Hares and lynxes: a differential equation seen with log-normal errors."""
    theta = sample("theta", dist.ImproperUniform(constraints.positive).expand((4,)).to_event(1))
    z_init = sample("z_init", dist.LogNormal(np.log(10.0), 1.0).expand((2,)).to_event(1))
    sigma = sample("sigma", dist.LogNormal(-1.0, 1.0).expand((2,)).to_event(1))
    location, scale = np.array([1.0, 0.05, 1.0, 0.05]), np.array([0.5, 0.05, 0.5, 0.05])
    factor("theta_prior", bnp.sum(dist.Normal(location, scale).log_prob(theta)))

    def slope(z: Any, t: Any) -> Any:
        hare, lynx = z[0], z[1]
        growth = (theta[0] - theta[1] * lynx) * hare
        return bnp.stack([growth, (-theta[2] + theta[3] * hare) * lynx])

    path = odeint(slope, z_init, times, rtol=1e-6, atol=1e-6)
    observe("y_init", dist.LogNormal(bnp.log(z_init), sigma), first)
    observe("y", dist.LogNormal(bnp.log(path[1:]), sigma), later)


@posterior("hudson_lynx_hare-lotka_volterra")
def _(data: Data) -> Any:
    times = np.concatenate([[0.0], array(data, "ts")])
    return lotka_volterra, (times, array(data, "y_init"), array(data, "y"))

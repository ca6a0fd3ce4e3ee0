"""Series in time: autoregression, volatility, hidden states."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints, dist
from bayesdl.model import model
from bayesdl.model.statements import factor, observe, sample
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import scan

from ._registry import Data, array, posterior


@model
def autoregression(lags: Any, y: Any) -> None:
    """AR(K) given the first K values; `lags` holds y[t−1] … y[t−K] by column."""
    alpha = sample("alpha", dist.Normal(0.0, 10.0))
    beta = sample("beta", dist.Normal(0.0, 10.0).expand((lags.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.HalfCauchy(2.5))
    observe("y", dist.Normal(alpha + lags @ beta, sigma), y)


@posterior("arK-arK")
def _(data: Data) -> Any:
    y, k = array(data, "y"), int(data["K"])
    lags = np.column_stack([y[k - i - 1 : len(y) - i - 1] for i in range(k)])
    return autoregression, (lags, y[k:])


@model
def garch(y: Any, first_scale: Any) -> None:
    """GARCH(1, 1): the bound of beta1 depends on alpha1."""
    mu = sample("mu", dist.Flat())
    alpha0 = sample("alpha0", dist.ImproperUniform(constraints.positive))
    alpha1 = sample("alpha1", dist.Uniform(0.0, 1.0))
    beta1 = sample("beta1", dist.ImproperUniform(constraints.interval(0.0, 1.0 - alpha1)))

    def step(variance: Any, previous: Any) -> tuple[Any, Any]:
        new = alpha0 + alpha1 * (previous - mu) ** 2 + beta1 * variance
        return new, new

    _, variances = scan(step, first_scale**2, y[:-1])
    scale = bnp.sqrt(bnp.concatenate([bnp.reshape(first_scale**2, (1,)), variances]))
    observe("y", dist.Normal(mu, scale), y)


@posterior("garch-garch11")
def _(data: Data) -> Any:
    return garch, (array(data, "y"), np.asarray(data["sigma1"], dtype=float))


@model
def hidden_markov(y: Any) -> None:
    """Two hidden states, marginalised by the forward algorithm."""
    theta1 = sample("theta1", dist.Dirichlet(np.ones(2)))
    theta2 = sample("theta2", dist.Dirichlet(np.ones(2)))
    mu = sample("mu", dist.ImproperUniform(constraints.positive_ordered, event_shape=(2,)))
    factor("mu_prior", bnp.sum(dist.Normal(np.array([3.0, 10.0]), 1.0).log_prob(mu)))
    emission = dist.Normal(mu, 1.0).log_prob(y[:, None])
    factor("y", _forward(bnp.log(bnp.stack([theta1, theta2])), emission))


@posterior("hmm_example-hmm_example")
def _(data: Data) -> Any:
    return hidden_markov, (array(data, "y"),)


@model
def drive(alpha: Any, u: Any, v: Any) -> None:
    """Two hidden states with two exponential emissions each, marginalised."""
    theta1 = sample("theta1", dist.Dirichlet(alpha[0]))
    theta2 = sample("theta2", dist.Dirichlet(alpha[1]))
    rates = constraints.positive_ordered
    phi = sample("phi", dist.ImproperUniform(rates, event_shape=(2,)))
    rate = sample("lambda", dist.ImproperUniform(rates, event_shape=(2,)))
    prior = dist.Normal(np.array([0.0, 3.0]), 1.0)
    factor("prior", bnp.sum(prior.log_prob(phi)) + bnp.sum(prior.log_prob(rate)))
    first = dist.Exponential(phi).log_prob(u[:, None])
    emission = first + dist.Exponential(rate).log_prob(v[:, None])
    factor("likelihood", _forward(bnp.log(bnp.stack([theta1, theta2])), emission))


@posterior("bball_drive_event_0-hmm_drive_0")
def _(data: Data) -> Any:
    return drive, (array(data, "alpha"), array(data, "u"), array(data, "v"))


def _forward(log_theta: Any, emission: Any) -> Any:
    """Log likelihood of a hidden Markov chain: emission (time, state), log_theta (from, to)."""

    def step(state: Any, here: Any) -> tuple[Any, None]:
        return bnp.logsumexp(state[:, None] + log_theta, axis=0) + here, None

    last, _ = scan(step, emission[0], emission[1:])
    return bnp.logsumexp(last)

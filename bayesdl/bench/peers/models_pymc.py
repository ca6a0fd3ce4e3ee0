"""Bench models as a user of PyMC writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt


def eight_schools(y: Any, error: Any) -> None:
    """mu, tau, offset."""
    mu = pm.Normal("mu", 0.0, 5.0)
    tau = pm.HalfCauchy("tau", 5.0)
    offset = pm.Normal("offset", 0.0, 1.0, shape=len(y))
    pm.Normal("y", mu + tau * offset, error, observed=y)


def hierarchical(x: Any, group: Any, y: Any) -> None:
    """mean, spread, beta, sigma, offset."""
    mean = pm.Normal("mean", 0.0, 5.0)
    spread = pm.HalfNormal("spread", 2.0)
    beta = pm.Normal("beta", 0.0, 2.0, shape=x.shape[1])
    sigma = pm.HalfNormal("sigma", 2.0)
    offset = pm.Normal("offset", 0.0, 1.0, shape=20)
    pm.Normal("y", (mean + spread * offset)[group] + x @ beta, sigma, observed=y)


def logistic(x: Any, y: Any) -> None:
    """beta."""
    beta = pm.Normal("beta", 0.0, 2.0, shape=x.shape[1])
    pm.Bernoulli("y", logit_p=x @ beta, observed=y)


def gaussian(precision: Any) -> None:
    """x."""
    x = pm.Flat("x", shape=len(precision))
    pm.Potential("density", -0.5 * pt.sum(x * pt.dot(precision, x)))


def poisson_glmm(x: Any, y: Any) -> None:
    """alpha, beta, sigma, offset."""
    alpha = pm.Normal("alpha", 0.0, 5.0)
    beta = pm.Normal("beta", 0.0, 2.0, shape=x.shape[1])
    sigma = pm.HalfNormal("sigma", 1.0)
    offset = pm.Normal("offset", 0.0, 1.0, shape=len(y))
    pm.Poisson("y", pm.math.exp(alpha + x @ beta + sigma * offset), observed=y)


# Sites in the order of the position; those on the half line.
LAYOUT = {
    eight_schools: (("mu", "tau", "offset"), ("tau",)),
    hierarchical: (("mean", "spread", "beta", "sigma", "offset"), ("spread", "sigma")),
    logistic: (("beta",), ()),
    gaussian: (("x",), ()),
    poisson_glmm: (("alpha", "beta", "sigma", "offset"), ("sigma",)),
}
BY_NAME = {function.__name__: function for function in LAYOUT}


def build(case: str, data: list[Any]) -> Any:
    """The PyMC model of a case."""
    if case not in BY_NAME:
        raise SystemExit(f"{case} is not written for PyMC")
    with pm.Model() as model:
        BY_NAME[case](*data)
    return model


def positions(case: str, posterior: Any) -> Any:
    """Unconstrained positions, shape (chains, draws, dim), from a data set of draws."""
    names, positive = LAYOUT[BY_NAME[case]]
    parts = []
    for name in names:
        values = np.asarray(posterior[name].values)
        values = np.log(values) if name in positive else values
        parts.append(values.reshape(*values.shape[:2], -1))
    return np.concatenate(parts, axis=2)

"""Groups that share their strength."""

from __future__ import annotations

from typing import Any

from bayesdl import dist
from bayesdl.model import model
from bayesdl.model.statements import deterministic, factor, observe, sample
from bayesdl.ops import numpy as bnp

from ._registry import Data, array, indices, posterior


@model
def eight_schools(y: Any, sigma: Any) -> None:
    """Eight schools, non-centred."""
    theta_trans = sample("theta_trans", dist.Normal(0.0, 1.0).expand((8,)).to_event(1))
    mu = sample("mu", dist.Normal(0.0, 5.0))
    tau = sample("tau", dist.HalfCauchy(5.0))
    theta = deterministic("theta", mu + tau * theta_trans)
    observe("y", dist.Normal(theta, sigma), y)


@posterior("eight_schools-eight_schools_noncentered")
def _(data: Data) -> Any:
    return eight_schools, (array(data, "y"), array(data, "sigma"))


@model
def eight_schools_centered(y: Any, sigma: Any) -> None:
    """Eight schools, centred: a funnel, where plain NUTS diverges."""
    theta = sample("theta", dist.Flat().expand((8,)).to_event(1))
    mu = sample("mu", dist.Normal(0.0, 5.0))
    tau = sample("tau", dist.HalfCauchy(5.0))
    factor("schools", bnp.sum(dist.Normal(mu, tau).log_prob(theta)))
    observe("y", dist.Normal(theta, sigma), y)


@posterior("eight_schools-eight_schools_centered")
def _(data: Data) -> Any:
    return eight_schools_centered, (array(data, "y"), array(data, "sigma"))


@model
def radon(uranium: Any, basement: Any, county: Any, log_radon: Any, counties: int) -> None:
    """Varying intercepts by county, non-centred, with a covariate of counties."""
    alpha_raw = sample("alpha_raw", dist.Normal(0.0, 1.0).expand((counties,)).to_event(1))
    beta = sample("beta", dist.Normal(0.0, 10.0).expand((2,)).to_event(1))
    mu_alpha = sample("mu_alpha", dist.Normal(0.0, 10.0))
    sigma_alpha = sample("sigma_alpha", dist.HalfNormal(1.0))
    sigma_y = sample("sigma_y", dist.HalfNormal(1.0))
    alpha = deterministic("alpha", mu_alpha + sigma_alpha * alpha_raw)
    mean = alpha[county] + beta[0] * uranium + beta[1] * basement
    observe("log_radon", dist.Normal(mean, sigma_y), log_radon)


@posterior("radon_mn-radon_hierarchical_intercept_noncentered")
def _(data: Data) -> Any:
    covariates = (array(data, "log_uppm"), array(data, "floor_measure"))
    county, counties = indices(data, "county_idx"), int(data["J"])
    return radon, (*covariates, county, array(data, "log_radon"), counties)

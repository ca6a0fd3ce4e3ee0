"""Linear and logistic regressions."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl import constraints, dist
from bayesdl.model import model
from bayesdl.model.statements import observe, sample

from ._registry import Data, array, posterior


@model
def kidscore(x: Any, y: Any) -> None:
    """Linear regression with flat coefficients and a half-Cauchy scale."""
    beta = sample("beta", dist.Flat().expand((2,)).to_event(1))
    sigma = sample("sigma", dist.HalfCauchy(2.5))
    observe("y", dist.Normal(beta[0] + beta[1] * x, sigma), y)


@posterior("kidiq-kidscore_momiq")
def _(data: Data) -> Any:
    return kidscore, (array(data, "mom_iq"), array(data, "kid_score"))


@model
def blr(x: Any, y: Any) -> None:
    """Linear regression with normal priors."""
    beta = sample("beta", dist.Normal(0.0, 10.0).expand((x.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.HalfNormal(10.0))
    observe("y", dist.Normal(x @ beta, sigma), y)


@posterior("sblrc-blr")
def _(data: Data) -> Any:
    return blr, (array(data, "X"), array(data, "y"))


@model
def flat_regression(x: Any, y: Any) -> None:
    """Linear regression with flat priors."""
    beta = sample("beta", dist.Flat().expand((x.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.ImproperUniform(constraints.positive))
    observe("y", dist.Normal(x @ beta, sigma), y)


@posterior("nes1980-nes")
def _(data: Data) -> Any:
    age = array(data, "age_discrete")
    columns = [np.ones(len(age)), array(data, "real_ideo"), array(data, "race_adj")]
    columns += [(age == k).astype(float) for k in (2, 3, 4)]
    columns += [array(data, name) for name in ("educ1", "gender", "income")]
    return flat_regression, (np.column_stack(columns), array(data, "partyid7"))


@posterior("kidiq_with_mom_work-kidscore_interaction_c2")
def _(data: Data) -> Any:
    school, iq = array(data, "mom_hs") - 0.5, array(data, "mom_iq") - 100.0
    columns = np.column_stack([np.ones(len(iq)), school, iq, school * iq])
    return flat_regression, (columns, array(data, "kid_score"))


@posterior("earnings-logearn_logheight_male")
def _(data: Data) -> Any:
    height, male = array(data, "height"), array(data, "male")
    columns = np.column_stack([np.ones(len(male)), np.log(height), male])
    return flat_regression, (columns, np.log(array(data, "earn")))


@posterior("mesquite-logmesquite")
def _(data: Data) -> Any:
    sizes = array(data, "diam1", "diam2", "canopy_height", "total_height", "density")
    columns = np.column_stack([np.ones(len(sizes)), np.log(sizes), array(data, "group")])
    return flat_regression, (columns, np.log(array(data, "weight")))


@model
def wells(distance: Any, arsenic: Any, switched: Any) -> None:
    """Logistic regression with flat priors."""
    alpha = sample("alpha", dist.Flat())
    beta = sample("beta", dist.Flat().expand((2,)).to_event(1))
    logits = alpha + beta[0] * distance + beta[1] * arsenic
    observe("switched", dist.Bernoulli(logits=logits), switched)


@posterior("wells_data-wells_dist100ars_model")
def _(data: Data) -> Any:
    return wells, (array(data, "dist") / 100.0, array(data, "arsenic"), array(data, "switched"))

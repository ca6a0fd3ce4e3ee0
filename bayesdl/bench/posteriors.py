"""Models of posteriordb, from their specifications: each has reference draws to be judged against.

Sites are declared in the order of the published parameters, so that a position here is the
published unconstrained vector wherever the transforms agree.

References
----------
Magnusson, Torgander, Bürkner, Zhang, Carpenter & Vehtari (2025), posteriordb: testing,
benchmarking and developing Bayesian inference algorithms (AISTATS; arXiv:2407.04967).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bayesdl import constraints, dist
from bayesdl._base.registry import Registry
from bayesdl.model import model
from bayesdl.model.statements import deterministic, factor, observe, sample
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import scan

Data = Mapping[str, Any]
Entry = Callable[[Data], tuple[Any, tuple[Any, ...]]]
POSTERIORS: Registry[Entry] = Registry("posterior")


def posterior(name: str) -> Callable[[Entry], Entry]:
    """Enter a function from posteriordb's data to (model, arguments)."""
    return lambda entry: POSTERIORS.add(name, entry)


def _array(data: Data, name: str) -> Any:
    return np.asarray(data[name], dtype=float)


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
    return eight_schools, (_array(data, "y"), _array(data, "sigma"))


@model
def kidscore(x: Any, y: Any) -> None:
    """Linear regression with flat coefficients and a half-Cauchy scale."""
    beta = sample("beta", dist.Flat().expand((2,)).to_event(1))
    sigma = sample("sigma", dist.HalfCauchy(2.5))
    observe("y", dist.Normal(beta[0] + beta[1] * x, sigma), y)


@posterior("kidiq-kidscore_momiq")
def _(data: Data) -> Any:
    return kidscore, (_array(data, "mom_iq"), _array(data, "kid_score"))


@model
def blr(x: Any, y: Any) -> None:
    """Linear regression with normal priors."""
    beta = sample("beta", dist.Normal(0.0, 10.0).expand((x.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.HalfNormal(10.0))
    observe("y", dist.Normal(x @ beta, sigma), y)


@posterior("sblrc-blr")
def _(data: Data) -> Any:
    return blr, (_array(data, "X"), _array(data, "y"))


@model
def flat_regression(x: Any, y: Any) -> None:
    """Linear regression with flat priors."""
    beta = sample("beta", dist.Flat().expand((x.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.ImproperUniform(constraints.positive))
    observe("y", dist.Normal(x @ beta, sigma), y)


@posterior("nes1980-nes")
def _(data: Data) -> Any:
    age = _array(data, "age_discrete")
    columns = [np.ones(len(age)), _array(data, "real_ideo"), _array(data, "race_adj")]
    columns += [(age == k).astype(float) for k in (2, 3, 4)]
    columns += [_array(data, name) for name in ("educ1", "gender", "income")]
    return flat_regression, (np.column_stack(columns), _array(data, "partyid7"))


@model
def wells(distance: Any, arsenic: Any, switched: Any) -> None:
    """Logistic regression with flat priors."""
    alpha = sample("alpha", dist.Flat())
    beta = sample("beta", dist.Flat().expand((2,)).to_event(1))
    logits = alpha + beta[0] * distance + beta[1] * arsenic
    observe("switched", dist.Bernoulli(logits=logits), switched)


@posterior("wells_data-wells_dist100ars_model")
def _(data: Data) -> Any:
    return wells, (_array(data, "dist") / 100.0, _array(data, "arsenic"), _array(data, "switched"))


@model
def autoregression(lags: Any, y: Any) -> None:
    """AR(K) given the first K values; `lags` holds y[t−1] … y[t−K] by column."""
    alpha = sample("alpha", dist.Normal(0.0, 10.0))
    beta = sample("beta", dist.Normal(0.0, 10.0).expand((lags.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.HalfCauchy(2.5))
    observe("y", dist.Normal(alpha + lags @ beta, sigma), y)


@posterior("arK-arK")
def _(data: Data) -> Any:
    y, k = _array(data, "y"), int(data["K"])
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
    return garch, (_array(data, "y"), np.asarray(data["sigma1"], dtype=float))


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
    return gaussian_mixture, (_array(data, "y"),)


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
    return gp_regression, (_array(data, "x"), _array(data, "y"))


@model
def hidden_markov(y: Any) -> None:
    """Two hidden states, marginalised by the forward algorithm."""
    theta1 = sample("theta1", dist.Dirichlet(np.ones(2)))
    theta2 = sample("theta2", dist.Dirichlet(np.ones(2)))
    mu = sample("mu", dist.ImproperUniform(constraints.positive_ordered, event_shape=(2,)))
    factor("mu_prior", bnp.sum(dist.Normal(np.array([3.0, 10.0]), 1.0).log_prob(mu)))
    log_theta = bnp.log(bnp.stack([theta1, theta2]))
    emission = dist.Normal(mu, 1.0).log_prob(y[:, None])

    def step(state: Any, here: Any) -> tuple[Any, None]:
        return bnp.logsumexp(state[:, None] + log_theta, axis=0) + here, None

    last, _ = scan(step, emission[0], emission[1:])
    factor("y", bnp.logsumexp(last))


@posterior("hmm_example-hmm_example")
def _(data: Data) -> Any:
    return hidden_markov, (_array(data, "y"),)

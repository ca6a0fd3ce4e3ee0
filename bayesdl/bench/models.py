"""The models that `bayesdl bench` times: what is computed, on which data, at what least cost.

Positions are flat and unconstrained, sites in the order in which they are declared here. The same
densities for other libraries are in `peers/densities.py`, by the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from bayesdl import dist, nn
from bayesdl._base.dataclass import dataclass
from bayesdl._base.registry import Registry
from bayesdl.model import Model, model
from bayesdl.model.statements import deterministic, factor, plate, sample
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import scan

SEED = 20261
# A polynomial of degree 11 to 13 with its range reduction and a division.
TRANSCENDENTAL = 40


@dataclass(frozen=True)
class Work:
    """The least that one log density and gradient must do, for the floor.

    Parameters
    ----------
    flops : float
        Floating-point operations; an exp, log or tanh counts as `TRANSCENDENTAL` of them.
    numbers : float
        Numbers of data that must be read once.
    """

    flops: float
    numbers: float


@dataclass(frozen=True)
class Case:
    """A model with simulated data.

    Parameters
    ----------
    name, title : str
        For the command line and for tables.
    model : Model
    simulate : callable, (Generator, rows) -> tuple of arrays
        Data, the model's first arguments.
    rows : int
        How many rows of data there are by default.
    dim : int
        Length of a position.
    work : callable, rows -> Work
    settings : tuple
        The model's further arguments.
    """

    name: str
    title: str
    model: Model
    simulate: Callable[[np.random.Generator, int], tuple[Any, ...]]
    rows: int
    dim: int
    work: Callable[[int], Work]
    settings: tuple[Any, ...] = ()

    def data(self, rows: int | None = None) -> tuple[Any, ...]:
        """Arrays simulated with a fixed seed."""
        return self.simulate(np.random.default_rng(SEED), rows or self.rows)

    def arguments(self, rows: int | None = None) -> tuple[Any, ...]:
        """All arguments of the model."""
        return (*self.data(rows), *self.settings)

    def position(self) -> np.ndarray[Any, Any]:
        """The position, shape (dim,), at which everything is timed and compared."""
        return 0.3 * np.random.default_rng(SEED + 1).standard_normal(self.dim)


CASES: Registry[Case] = Registry("bench model")

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


@model
def eight_schools(y: Any, error: Any) -> None:
    """Rubin's eight schools, non-centred."""
    mu = sample("mu", dist.Normal(0.0, 5.0))
    tau = sample("tau", dist.HalfCauchy(5.0))
    with plate("school", y.shape[0]):
        offset = sample("offset", dist.Normal(0.0, 1.0))
        theta = deterministic("theta", mu + tau * offset)
        sample("y", dist.Normal(theta, error), obs=y)


@model
def hierarchical(x: Any, group: Any, y: Any, groups: int) -> None:
    """Regression with an intercept per group, gathered by the group of each row."""
    mean = sample("mean", dist.Normal(0.0, 5.0))
    spread = sample("spread", dist.HalfNormal(2.0))
    beta = sample("beta", dist.Normal(0.0, 2.0).expand((x.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.HalfNormal(2.0))
    with plate("group", groups):
        offset = sample("offset", dist.Normal(0.0, 1.0))
    intercept = mean + spread * offset
    with plate("row", y.shape[0]):
        sample("y", dist.Normal(intercept[group] + x @ beta, sigma), obs=y)


@model
def logistic(x: Any, y: Any) -> None:
    """Logistic regression."""
    beta = sample("beta", dist.Normal(0.0, 2.0).expand((x.shape[1],)).to_event(1))
    with plate("row", y.shape[0]):
        sample("y", dist.Bernoulli(logits=x @ beta), obs=y)


@model
def gaussian(precision: Any) -> None:
    """A Gaussian in 100 dimensions with correlated, very unequal scales."""
    x = sample("x", dist.Flat().expand((precision.shape[0],)).to_event(1))
    factor("density", -0.5 * bnp.sum(x * (precision @ x)))


@model
def poisson_glmm(x: Any, y: Any) -> None:
    """Counts of years with a cubic trend and a random effect of each year, non-centred."""
    alpha = sample("alpha", dist.Normal(0.0, 5.0))
    beta = sample("beta", dist.Normal(0.0, 2.0).expand((x.shape[1],)).to_event(1))
    sigma = sample("sigma", dist.HalfNormal(1.0))
    with plate("year", y.shape[0]):
        offset = sample("offset", dist.Normal(0.0, 1.0))
        rate = bnp.exp(alpha + x @ beta + sigma * offset)
        sample("y", dist.Poisson(rate), obs=y)


@model
def volatility(y: Any) -> None:
    """Stochastic volatility, centred: the log variances are the position."""
    mu = sample("mu", dist.Normal(0.0, 5.0))
    phi = sample("phi", dist.Uniform(-1.0, 1.0))
    sigma = sample("sigma", dist.HalfNormal(1.0))
    h = sample("h", dist.Flat().expand((y.shape[0],)).to_event(1))
    first = dist.Normal(mu, sigma / bnp.sqrt(1.0 - phi**2)).log_prob(h[0])
    later = dist.Normal(mu + phi * (h[:-1] - mu), sigma).log_prob(h[1:])
    factor("h_prior", first + bnp.sum(later))
    with plate("day", y.shape[0]):
        sample("y", dist.Normal(0.0, bnp.exp(0.5 * h)), obs=y)


@model
def volatility_recursive(y: Any) -> None:
    """Stochastic volatility, non-centred: a recursion makes the log variances from noise."""
    mu = sample("mu", dist.Normal(0.0, 5.0))
    phi = sample("phi", dist.Uniform(-1.0, 1.0))
    sigma = sample("sigma", dist.HalfNormal(1.0))
    noise = sample("noise", dist.Normal(0.0, 1.0).expand((y.shape[0],)).to_event(1))

    def step(before: Any, shock: Any) -> tuple[Any, Any]:
        now = phi * before + sigma * shock
        return now, now

    first = sigma / bnp.sqrt(1.0 - phi**2) * noise[0]
    _, later = scan(step, first, noise[1:])
    h = mu + bnp.concatenate([bnp.reshape(first, (1,)), later])
    with plate("day", y.shape[0]):
        sample("y", dist.Normal(0.0, bnp.exp(0.5 * h)), obs=y)


@model
def network(x: Any, y: Any, hidden: tuple[int, ...]) -> None:
    """Regression by a network of tanh units with learned noise."""
    f = nn.MLP(hidden=hidden, out=1, activation="tanh")(x)[:, 0]
    sigma = sample("sigma", dist.HalfNormal(1.0))
    with plate("row", y.shape[0]):
        sample("y", dist.Normal(f, sigma), obs=y)


def _schools_data(_: np.random.Generator, __: int) -> tuple[Any, ...]:
    return EFFECT, ERROR


def _hierarchical_data(rng: np.random.Generator, rows: int) -> tuple[Any, ...]:
    x, group = rng.standard_normal((rows, 2)), rng.integers(0, 20, rows)
    intercept = 1.0 + 0.7 * rng.standard_normal(20)
    y = intercept[group] + x @ np.array([0.8, -0.5]) + 0.6 * rng.standard_normal(rows)
    return x, group, y


def _logistic_data(rng: np.random.Generator, rows: int) -> tuple[Any, ...]:
    x, beta = rng.standard_normal((rows, 25)), rng.standard_normal(25)
    y = rng.random(rows) < 1.0 / (1.0 + np.exp(-x @ beta / 2.0))
    return x, y.astype(float)


def _gaussian_data(rng: np.random.Generator, rows: int) -> tuple[Any, ...]:
    rotation = np.linalg.qr(rng.standard_normal((rows, rows)))[0]
    precision = (rotation * np.logspace(0.0, 3.0, rows)) @ rotation.T
    return (0.5 * (precision + precision.T),)


def _poisson_data(rng: np.random.Generator, rows: int) -> tuple[Any, ...]:
    year = np.linspace(-1.0, 1.0, rows)
    x = np.column_stack([year, year**2, year**3])
    eta = 4.3 + x @ np.array([1.1, -0.2, -1.2]) + 0.1 * rng.standard_normal(rows)
    return x, rng.poisson(np.exp(eta)).astype(float)


def _volatility_data(rng: np.random.Generator, rows: int) -> tuple[Any, ...]:
    h = np.empty(rows)
    h[0] = -1.0 + 0.25 / np.sqrt(1.0 - 0.95**2) * rng.standard_normal()
    for t in range(1, rows):
        h[t] = -1.0 + 0.95 * (h[t - 1] + 1.0) + 0.25 * rng.standard_normal()
    return (np.exp(0.5 * h) * rng.standard_normal(rows),)


def _network_data(features: int) -> Callable[[np.random.Generator, int], tuple[Any, ...]]:
    def simulate(rng: np.random.Generator, rows: int) -> tuple[Any, ...]:
        x = rng.standard_normal((rows, features))
        w = rng.standard_normal((features, 2))
        return x, np.tanh(x @ w / np.sqrt(features)).sum(1) + 0.2 * rng.standard_normal(rows)

    return simulate


def _network_work(features: int, hidden: tuple[int, ...]) -> Callable[[int], Work]:
    sizes = (features, *hidden, 1)
    links = [a * b for a, b in pairwise(sizes)]
    # Forward, and backward to the weights; backward to the inputs is needed above the first layer.
    products = 2.0 * (2 * sum(links) + sum(links[1:]))
    units = (TRANSCENDENTAL + 6.0) * sum(hidden)
    return lambda rows: Work(rows * (products + units), rows * (features + 1))


def _enter(
    name: str,
    title: str,
    what: Model,
    simulate: Callable[[np.random.Generator, int], tuple[Any, ...]],
    shape: tuple[int, int],
    work: Callable[[int], Work],
    settings: tuple[Any, ...] = (),
) -> None:
    CASES.add(name, Case(name, title, what, simulate, *shape, work, settings))


T = TRANSCENDENTAL
_enter(
    "eight_schools",
    "eight schools, non-centred",
    eight_schools,
    _schools_data,
    (8, 10),
    lambda n: Work(12 * n + 3 * T, 2 * n),
)
_enter(
    "hierarchical",
    "hierarchical regression, gathered intercepts",
    hierarchical,
    _hierarchical_data,
    (800, 25),
    lambda n: Work(16 * n + 200, 4 * n),
    (20,),
)
_enter(
    "logistic",
    "logistic regression",
    logistic,
    _logistic_data,
    (1000, 25),
    lambda n: Work((100 + 2 * T) * n, 26 * n),
)
_enter(
    "gaussian",
    "ill-conditioned Gaussian",
    gaussian,
    _gaussian_data,
    (100, 100),
    lambda n: Work(4.0 * n * n, n * n),
)
_enter(
    "poisson_glmm",
    "Poisson GLMM, non-centred",
    poisson_glmm,
    _poisson_data,
    (40, 45),
    lambda n: Work((24 + T) * n, 4 * n),
)
_enter(
    "volatility",
    "stochastic volatility, centred",
    volatility,
    _volatility_data,
    (500, 503),
    lambda n: Work((20 + T) * n, 3 * n),
)
_enter(
    "volatility_recursive",
    "stochastic volatility, by recursion",
    volatility_recursive,
    _volatility_data,
    (500, 503),
    lambda n: Work((20 + T) * n, 3 * n),
)
_enter(
    "network_one",
    "network 6-50-1 tanh",
    network,
    _network_data(6),
    (277, 402),
    _network_work(6, (50,)),
    ((50,),),
)
_enter(
    "network_two",
    "network 13-30-30-1 tanh",
    network,
    _network_data(13),
    (455, 1382),
    _network_work(13, (30, 30)),
    ((30, 30),),
)

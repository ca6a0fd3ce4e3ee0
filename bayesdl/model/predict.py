"""A model as a simulator: prior and posterior predictive, means, log likelihoods of any data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, SiteError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._definition import Model, as_model
from ._stack import Handler, running, surroundings
from ._statement import Statement, enter
from .arguments import Arguments, read_arguments
from .expected import mean_of, parts_of
from .sites import Sites, axis_names, sites_of
from .summed import Run

Kwargs = Mapping[str, Any] | None


@dataclass(frozen=True, eq=False)
class Simulator:
    """A model run forward: ``simulator(values, key, *simulator.data)``.

    Parameters
    ----------
    model : Model
    arguments : Arguments
    names : tuple of str or None
        The sites to return.
    kind : {"draw", "mean", "parts"}
    dtype : numpy.dtype
    ambient : tuple of Handler
        The handlers that surrounded the model when it was handed over.
    """

    model: Model
    arguments: Arguments
    names: tuple[str, ...] | None
    kind: str
    dtype: np.dtype[Any]
    ambient: tuple[Handler, ...]

    @property
    def data(self) -> tuple[np.ndarray[Any, Any], ...]:
        """The array arguments, in order."""
        return self.arguments.arrays

    def __call__(self, values: Mapping[str, Any], key: Any, *data: Any) -> dict[str, Any]:
        """Simulate once.

        Parameters
        ----------
        values : mapping of str to Array
            Of one draw: values by site name. Sites without one are drawn.
        key : Array, shape (2,)
        *data : Array
            In the order and of the types of `data`.
        """
        forward = self._run(values, key, data)
        return forward.parts() if self.kind == "parts" else _chosen(forward, self.names)

    def _run(self, values: Mapping[str, Any], key: Any, data: Sequence[Any]) -> _Forward:
        forward = _Forward(values, key, self.kind)
        with bnp.using_dtype(self.dtype), running([forward], self.ambient):
            self.arguments.call(self.model, data)
        return forward


def predictive(
    model: Any,
    args: Sequence[Any],
    kwargs: Kwargs = None,
    names: Iterable[str] | None = None,
    *,
    kind: str = "draw",
    dtype: Any = np.float64,
) -> Simulator:
    """A function that simulates a model forward from the values of its latent sites.

    Parameters
    ----------
    model : Model or callable
    args, kwargs
        The model's arguments, for any number of rows. Those that feed ``obs=`` may be left out;
        where they are given, they are not used.
    names : iterable of str, optional
        The sites to return; by default all that have no value given.
    kind : {"draw", "mean", "parts"}
        Whether a site is drawn, or the mean of its distribution is returned, or what `parts_of`
        tells of its distribution. Sites that depend on it see the draw in all cases.
    dtype : dtype, default float64

    Returns
    -------
    Simulator
        A function (values, key, *data) -> dict of str to Array, for one draw.

    Raises
    ------
    ArgumentError
        If the model does not take these arguments, or there is no such kind.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> def m(x, y=None):
    ...     slope = bdl.sample("slope", bdl.dist.Normal(0.0, 1.0))
    ...     bdl.sample("y", bdl.dist.Normal(slope * x, 0.1), obs=y)
    >>> mean = predictive(m, (np.arange(3.0),), kind="mean")
    >>> mean({"slope": 2.0}, bdl.random.key(0), *mean.data)["y"].tolist()
    [0.0, 2.0, 4.0]
    """
    if kind not in ("draw", "mean", "parts"):
        raise ArgumentError(
            f"there is no prediction of kind {kind!r}.",
            fix='use kind="draw", kind="mean" or kind="parts".',
            where=user_source(),
            code="M119",
        )
    known = as_model(model)
    arguments = read_arguments(known, args, dict(kwargs or {}), dtype)
    chosen = None if names is None else tuple(names)
    return Simulator(known, arguments, chosen, kind, np.dtype(dtype), surroundings())


@dataclass(frozen=True)
class Described:
    """The sites that a model simulates.

    Parameters
    ----------
    dims : dict of str to tuple
        Names of the axes of each site, where they have one.
    coords : dict of str to list
        Labels along them.
    observed : dict of str to array
        The data of the observed sites, which are simulated nevertheless.
    size : int
        Bytes of one value of each of them.
    """

    dims: dict[str, tuple[str | None, ...]]
    coords: dict[str, list[Any]]
    observed: dict[str, np.ndarray[Any, Any]]
    size: int


@dataclass(frozen=True, eq=False)
class PriorSimulator:
    """A model run forward from its prior: ``simulator(key, *simulator.data)``.

    Parameters
    ----------
    forward : Simulator
    """

    forward: Simulator

    @property
    def data(self) -> tuple[np.ndarray[Any, Any], ...]:
        """The array arguments, in order."""
        return self.forward.data

    def __call__(self, key: Any, *data: Any) -> dict[str, Any]:
        """Simulate once."""
        return self.forward({}, key, *data)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.forward.model.name

    def describe(self, key: Any) -> Described:
        """What it simulates, found by simulating once."""
        run = self.forward._run({}, key, self.data)
        sites = {n: s for n, s in run.statements.items() if s.kind != "factor" and not s.given}
        return Described(
            {name: axis_names(site) for name, site in sites.items()},
            {**self.forward.arguments.coords, **self.forward.model.coords},
            {
                name: np.broadcast_to(np.asarray(value), np.shape(sites[name].value))
                for name, value in run.data.items()
            },
            sum(np.asarray(site.value).nbytes for site in sites.values()),
        )


def prior_predictive(
    model: Any,
    args: Sequence[Any],
    kwargs: Kwargs = None,
    names: Iterable[str] | None = None,
    *,
    dtype: Any = np.float64,
) -> PriorSimulator:
    """A function that simulates all sites of a model from the prior.

    Parameters
    ----------
    model, args, kwargs, names, dtype
        As for `predictive`.

    Returns
    -------
    PriorSimulator
        A function (key, *data) -> dict of str to Array.
    """
    return PriorSimulator(predictive(model, args, kwargs, names, dtype=dtype))


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """Log likelihood of each observation: ``f(values, *f.data)``.

    Parameters
    ----------
    model : Model
    arguments : Arguments
    sites : Sites
        Of the model with these arguments.
    dtype : numpy.dtype
    ambient : tuple of Handler
        The handlers that surrounded the model when it was handed over.
    """

    model: Model
    arguments: Arguments
    sites: Sites
    dtype: np.dtype[Any]
    ambient: tuple[Handler, ...]

    @property
    def observed(self) -> dict[str, np.ndarray[Any, Any]]:
        """Values of the observed sites."""
        return self.sites.data

    @property
    def data(self) -> tuple[np.ndarray[Any, Any], ...]:
        """The array arguments, in order."""
        return self.arguments.arrays

    def __call__(self, values: Mapping[str, Any], *data: Any) -> dict[str, Any]:
        """By observed site, of its batch shape, given values of the latent sites for one draw."""
        statements = self._read(values, data)
        found = {n: s.pointwise() for n, s in statements.items() if _is_observed(s)}
        for group in self.sites.groups:
            run = Run(lambda z, v, d: self._read({**v, **z}, d), (dict(values), tuple(data)))
            found.update(group.pointwise(run, statements))
        return found

    def read(self, values: Mapping[str, Any], *data: Any) -> dict[str, tuple[Any, Any]]:
        """Value of each observed site, and where it lies inside its support or is masked."""
        found = {n: s for n, s in self._read(values, data).items() if _is_observed(s)}
        return {n: (bnp.asarray(s.value), _inside(s)) for n, s in found.items()}

    def _read(self, values: Mapping[str, Any], data: Sequence[Any]) -> dict[str, Statement]:
        reader = _Given({**self.sites.first_values, **values})
        with bnp.using_dtype(self.dtype), running([reader], self.ambient):
            self.arguments.call(self.model, data)
        return reader.statements


def log_likelihood(
    model: Any,
    args: Sequence[Any],
    kwargs: Kwargs = None,
    *,
    dtype: Any = np.float64,
    ambient: tuple[Handler, ...] = (),
) -> LogLikelihood:
    """A function from values of the latent sites to the log likelihood of each observation.

    Parameters
    ----------
    model : Model or callable
    args, kwargs
        The model's arguments, the data to judge among them; any number of rows.
    dtype : dtype, default float64
    ambient : tuple of Handler
        Of the fit; those that surround this call are added.

    Returns
    -------
    LogLikelihood
        A function (values, *data) -> dict of str to Array. Never scaled by plates or handlers.

    Raises
    ------
    SiteError
        If no site is observed.
    BayesdlError
        Whatever `read_sites` finds wrong.
    """
    known = as_model(model)
    arguments = read_arguments(known, args, dict(kwargs or {}), dtype)
    now = (h for h in surroundings() if not any(h is known for known in ambient))
    ambient = (*ambient, *now)
    # Other rows have other labels, so the model's own are not held against them.
    unlabelled = Model(known.function, name=known.name)
    sites = sites_of(unlabelled, arguments, ambient, dtype)
    if not any(site.observed for site in sites.values()):
        raise SiteError(
            f"model {known.name} has no observed site with these arguments.",
            fix="pass the data that feed obs=.",
            where=user_source(),
            code="M122",
        )
    return LogLikelihood(known, arguments, sites, np.dtype(dtype), ambient)


def _is_observed(statement: Statement) -> bool:
    return statement.kind == "sample" and statement.observed


def _inside(statement: Statement) -> Any:
    inside = bnp.asarray(statement.law.support.contains(statement.value))
    mask = statement.mask
    return inside if mask is None else bnp.logical_or(inside, bnp.logical_not(mask))


class _Recording(Handler):
    """Readers that take values by name."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.statements: dict[str, Statement] = {}

    def after(self, statement: Statement) -> None:
        if statement.kind != "units":
            enter(self.statements, statement)


class _Given(_Recording):
    """Values for all latent sites."""

    def before(self, statement: Statement) -> None:
        if statement.kind == "sample" and statement.value is None and statement.name in self.values:
            statement.value = self.values[statement.name]


class _Forward(_Recording):
    """Values for some sites; data are forgotten, so that observed sites are drawn anew."""

    def __init__(self, values: Mapping[str, Any], key: Any, kind: str) -> None:
        _Recording.__init__(self, values)
        self.key, self.kind = key, kind
        self.count = 0
        self.data: dict[str, Any] = {}

    def before(self, statement: Statement) -> None:
        if statement.kind != "sample":
            return
        if statement.observed:
            self.data[statement.name] = statement.value
            statement.value, statement.observed = None, False
        statement.value = self.values.get(statement.name, statement.value)
        # Over any seed of the user's: each draw has a key of its own.
        statement.key = random.fold_in(self.key, self.count)
        self.count += 1

    def result(self, name: str) -> Any:
        """A site's value, or its mean."""
        statement = self.statements[name]
        if self.kind == "mean" and statement.distribution is not None and not statement.given:
            return mean_of(statement.law)
        return bnp.asarray(statement.value)

    def parts(self) -> dict[str, Any]:
        """What the distributions of the sites without a value say of them."""
        found: dict[str, Any] = {}
        for name, statement in self.statements.items():
            if statement.kind == "sample" and not statement.given:
                found.update(parts_of(name, statement.law))
        return found


def _chosen(forward: _Forward, names: tuple[str, ...] | None) -> dict[str, Any]:
    found = {n: s for n, s in forward.statements.items() if s.kind != "factor"}
    if names is None:
        return {n: forward.result(n) for n, s in found.items() if not s.given}
    for name in names:
        if name not in found:
            guess = did_you_mean(name, found)
            raise SiteError(
                f'the model has no site "{name}" to predict.',
                facts=[("sites", ", ".join(found) or "none")],
                fix=f'did you mean "{guess}"?' if guess else "use one of its sites.",
                where=user_source(),
                code="M117",
            )
    return {name: forward.result(name) for name in names}

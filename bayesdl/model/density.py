"""Density: a model and its data as a function on R^dim, and the ways to values and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import SiteError, SupportError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle
from bayesdl.ir.types import ArrayType
from bayesdl.ops import numpy as bnp

from ._definition import Model, as_model
from ._stack import Handler, running, surroundings
from ._statement import Statement, enter
from .arguments import Arguments, read_arguments
from .sites import Sites, sites_of
from .summed import Chosen, Run, Values

NOTHING: Values = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Density:
    """The log joint density of a model given data, on unconstrained positions of shape (dim,).

    All methods are ordinary functions over ops: on numbers they compute, in a trace they become
    equations. Data are arguments, so that a Program made of them serves other data of those types.

    Parameters
    ----------
    model : Model
    arguments : Arguments
        The model's arguments.
    sites : Sites
        What the model contains.
    dtype : numpy.dtype
        Of position, density and all floats on the way; sums are formed in it as well.
    ambient : tuple of Handler
        The handlers that surrounded the model when it was handed over.
    """

    model: Model
    arguments: Arguments
    sites: Sites
    dtype: np.dtype[Any]
    ambient: tuple[Handler, ...]

    @property
    def dim(self) -> int:
        """Length of a position."""
        return self.sites.dim

    @property
    def data(self) -> tuple[np.ndarray[Any, Any], ...]:
        """The array arguments, in order."""
        return self.arguments.arrays

    @property
    def data_types(self) -> tuple[ArrayType, ...]:
        """Types of the array arguments."""
        return self.arguments.types

    @property
    def minibatched(self) -> bool:
        """Whether the density is an estimate from a part of the rows."""
        return self.sites.minibatched

    def function(self, position: Any, *data: Any) -> Any:
        """Log joint density in nats, with log |det| of the change of variables.

        Parameters
        ----------
        position : Array, shape (dim,)
        *data : Array
            In the order and of the types of `data`.

        Returns
        -------
        Array, shape ()
        """
        terms = list(self.site_log_densities(position, *data).values())
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return bnp.asarray(total, self.dtype)

    def site_log_densities(self, position: Any, *data: Any) -> dict[str, Any]:
        """What each site and factor adds to the log density; latent sites with their log |det|.

        Statements that depend on discrete unknowns are summed over their values, and entered
        under one name (`model.summed.Group`).
        """
        reader = self.read(position, data)
        grouped = {name for group in self.sites.groups for name in group.members}
        terms = {
            name: statement.log_density()
            for name, statement in reader.statements.items()
            if statement.kind != "deterministic" and name not in grouped
        }
        for group in self.sites.groups:
            terms[group.label] = group.log_sum(self._runs(position, data), reader.statements)
        for name, log_det in reader.log_det.items():
            terms[name] = terms[name] + log_det if name in terms else log_det
        return terms

    def constrain(self, position: Any, *data: Any) -> dict[str, Any]:
        """Values of the latent and deterministic sites at a position."""
        statements = self.read(position, data).statements
        return {n: bnp.asarray(statements[n].value) for n, site in self.sites.items() if site.drawn}

    def pointwise(self, position: Any, *data: Any) -> dict[str, Any]:
        """Log likelihood of each observation, by observed site; never scaled.

        Returns
        -------
        dict of str to Array, shape (*batch_shape of the site)
        """
        statements = self.read(position, data).statements
        found = {n: statements[n].pointwise() for n, site in self.sites.items() if site.observed}
        for group in self.sites.groups:
            found.update(group.pointwise(self._runs(position, data), statements))
        return found

    def observed_statements(self, position: Any, *data: Any) -> dict[str, tuple[int, Statement]]:
        """The observed sites at a position, each with its number among the sample statements."""
        found = self.read(position, data).statements.values()
        sampled = enumerate(s for s in found if s.kind == "sample")
        return {s.name: (i, s) for i, s in sampled if s.observed}

    def unconstrain(self, values: Mapping[str, Any], *data: Any) -> Any:
        """The position at which the latent sites have these values: the inverse of `constrain`.

        Parameters
        ----------
        values : mapping of str to Array
            A value for each latent site; those of deterministic sites are not needed.
        *data : Array

        Raises
        ------
        SiteError
            If a latent site has no value, or a name is unknown.
        SupportError
            If a known value lies outside its support.
        """
        for name in values:
            self.sites[name]
        reader = _Inverse(values)
        self.run(reader, data)
        return self._joined(reader.parts)

    def read(self, position: Any, data: Sequence[Any], chosen: Values = NOTHING) -> AtPosition:
        """The statements at a position."""
        reader = AtPosition(self.sites, bnp.asarray(position))
        self.run(reader, data, chosen)
        return reader

    def _runs(self, position: Any, data: Sequence[Any]) -> Run:
        return Run(lambda z, q, given: self.read(q, given, z).statements, (position, tuple(data)))

    def run(self, reader: Handler, data: Sequence[Any], chosen: Values = NOTHING) -> None:
        """Run the model on data under a handler that supplies what has no value.

        Parameters
        ----------
        reader : Handler
        data : sequence of Array
        chosen : mapping of str to Array
            Values of discrete unknowns; of those that it lacks, any one.
        """
        fixed = Chosen({**self.sites.first_values, **chosen})
        with bnp.using_dtype(self.dtype), running([fixed, reader], self.ambient):
            self.arguments.call(self.model, data)

    def _joined(self, parts: dict[str, Any]) -> Any:
        flat = [
            bnp.reshape(bnp.asarray(parts[name], self.dtype), (-1,)) for name in self.sites.latent
        ]
        return bnp.concatenate(flat)


def build_density(
    model: Model | Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    dtype: Any = np.float64,
) -> Density:
    """Read a model and its data, and check them against each other.

    Parameters
    ----------
    model : Model or callable
    args, kwargs
        The model's arguments.
    dtype : dtype, default float64
        Of position and density.

    Returns
    -------
    Density

    Raises
    ------
    SiteError
        If there is no latent site, or a discrete one cannot be summed over.
    BayesdlError
        Whatever `read_sites` finds wrong.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> def m(y):
    ...     mu = bdl.sample("mu", bdl.dist.Normal(0.0, 1.0))
    ...     bdl.sample("y", bdl.dist.Normal(mu, 1.0), obs=y)
    >>> density = build_density(m, (2.0,))
    >>> round(float(density.function(np.zeros(1), *density.data)), 4)
    -3.8379
    """
    known = as_model(model)
    arguments = read_arguments(known, args, dict(kwargs or {}), dtype)
    ambient = surroundings()
    sites = sites_of(known, arguments, ambient, dtype)
    if not sites.latent:
        raise SiteError(
            f"model {known.name} has no latent site: there is nothing to infer.",
            facts=[(s.name, s.kind, s.source.short if s.source else "") for s in sites.values()],
            fix='add one, mu = sample("mu", dist.Normal(0.0, 1.0)), or leave out its obs=.',
            where=user_source(),
            code="M102",
        )
    return Density(known, arguments, sites, np.dtype(dtype), ambient)


class _Supplying(Handler):
    """Readers that give latent sites their values."""

    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}

    def before(self, statement: Statement) -> None:
        statement.supply = self.value

    def after(self, statement: Statement) -> None:
        if statement.kind != "units":
            enter(self.statements, statement)

    def value(self, statement: Statement) -> Any:
        """The value of a latent site."""
        raise NotImplementedError


class AtPosition(_Supplying):
    """Values from slices of a position."""

    def __init__(self, sites: Sites, position: Any) -> None:
        _Supplying.__init__(self)
        self.sites, self.position = sites, position
        self.log_det: dict[str, Any] = {}

    def value(self, statement: Statement) -> Any:
        site = self.sites.table.get(statement.name)
        if site is None or not site.latent:
            raise _changed(statement)
        part, support = site.part(self.position), statement.law.support
        if support.is_discrete:
            return bnp.asarray(bnp.rint(part), np.int64)
        value, log_det = support.bijector.forward_and_log_det(part)
        if not statement.point:
            self.log_det[statement.name] = bnp.sum(log_det) if np.ndim(log_det) else log_det
        return value


class _Inverse(_Supplying):
    """Values from the user; remembers the positions they come from."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        _Supplying.__init__(self)
        self.values = values
        self.parts: dict[str, Any] = {}

    def value(self, statement: Statement) -> Any:
        name, law = statement.name, statement.law
        if name not in self.values:
            raise SiteError(
                f'the latent site "{name}" has no value.',
                facts=[("given", ", ".join(self.values) or "none")],
                fix=f'add "{name}" to the values.',
                where=user_source(),
                code="M117",
            )
        value = bnp.broadcast_to(
            bnp.asarray(self.values[name]), (*law.batch_shape, *law.event_shape)
        )
        if law.is_discrete:
            self.parts[name] = bnp.asarray(value, bnp.default_dtype())
            return value
        with np.errstate(all="ignore"):
            x = law.support.bijector.inverse(bnp.asarray(value, bnp.default_dtype()))
        if not isinstance(x, Handle) and not np.isfinite(x).all():
            raise SupportError(
                f'the value of site "{name}" lies outside its support, or on its edge.',
                facts=[("value", str(value)[:60]), ("support", law.support.name)],
                fix="give a value inside the support.",
                where=user_source(),
                code="M106",
            )
        self.parts[name] = x
        return value


def _changed(statement: Statement) -> SiteError:
    return SiteError(
        f'site "{statement.name}" was not there, or not latent, when the model was first read.',
        fix="let the model depend on its arguments alone: it runs more than once.",
        where=statement.source,
        code="M118",
    )

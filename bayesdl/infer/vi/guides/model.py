"""The user's own guide: a model function whose sites are those of the model it approximates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bayesdl._base.errors import SiteError
from bayesdl._base.source import user_source
from bayesdl.model import as_model
from bayesdl.model.arguments import read_arguments
from bayesdl.model.density import Density
from bayesdl.model.handlers import Handler, Statement, surroundings
from bayesdl.model.sites import Site, Sites, sites_of
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Guide


@dataclass(frozen=True)
class ModelGuide(Guide):
    """A guide written as a model, with the arguments of the model.

    Its sites with the name of an unknown of the model are that unknown's approximation. Its other
    sites are parameters, whatever their prior: weights of a network that amortises, or numbers from
    ``sample("loc", dist.Flat())``. Unknowns that it leaves out are fitted to a point.

    Parameters
    ----------
    function : callable
    target : Density, optional
        Of the model; with `own`, that of the guide, as `fitted_to` finds them.
    own : Density, optional
    data : sequence of Array
        The arguments' arrays; those that the model was given, or those of a run.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes (arXiv:1312.6114), for guides that a
    network amortises.
    """

    estimator: ClassVar[str] = "reparametrised"

    function: Callable[..., Any]
    target: Density | None = None
    own: Density | None = None
    data: Sequence[Any] = ()

    @property
    def has_density(self) -> bool:
        return not self._points()

    def fitted_to(self, density: Density) -> ModelGuide:
        known = as_model(self.function)
        args, kwargs = density.arguments.given
        arguments = read_arguments(known, args, kwargs, density.dtype)
        ambient = surroundings()
        sites = sites_of(known, arguments, ambient, density.dtype)
        _refuse_other_shapes(density.sites, sites)
        own = Density(known, arguments, sites, density.dtype, ambient)
        return replace(self, target=density, own=own, data=density.data)

    def given(self, data: Sequence[Any]) -> ModelGuide:
        return replace(self, data=data)

    def start(self, key: Any, position: Any, sd: float) -> Any:
        target, own = self._both()
        parameters = [s for s in own.sites.latent.values() if s.name not in target.sites.latent]
        return {
            "own": {
                s.name: _first(s, random.fold_in(key, i), own.dtype)
                for i, s in enumerate(parameters)
            },
            "points": {s.name: s.part(position) for s in self._points()},
        }

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        target, own = self._both()
        reader = _OfGuide(target.sites, params["own"], key, None)
        own.run(reader, self.data)
        placed = _OfModel(reader.values, params["points"])
        target.run(placed, self.data)
        return placed.position(target.sites), reader.log_prob() + placed.log_det

    def log_prob(self, params: Any, position: Any) -> Any:
        target, own = self._both()
        values = target.constrain(position, *self.data)
        reader = _OfGuide(target.sites, params["own"], None, values)
        own.run(reader, self.data)
        points = {s.name: s.part(position) for s in self._points()}
        placed = _OfModel(reader.values, points)
        target.run(placed, self.data)
        return reader.log_prob() + placed.log_det

    def _both(self) -> tuple[Density, Density]:
        assert self.target is not None
        assert self.own is not None
        return self.target, self.own

    def _points(self) -> list[Site]:
        target, own = self._both()
        return [s for s in target.sites.latent.values() if s.name not in own.sites.latent]


class _OfGuide(Handler):
    """Runs the guide: parameters from a dict, the model's unknowns by draws or from values."""

    def __init__(self, unknowns: Sites, own: Mapping[str, Any], key: Any, values: Any) -> None:
        self.unknowns, self.own, self.key, self.known = unknowns, own, key, values
        self.statements: list[Statement] = []
        self.values: dict[str, Any] = {}

    def before(self, statement: Statement) -> None:
        statement.supply = self.value

    def value(self, statement: Statement) -> Any:
        """A parameter, or the value of an unknown."""
        name, law = statement.name, statement.law
        if name in self.own:
            return law.support.bijector.forward(self.own[name])
        if self.known is None:
            self.values[name] = law.sample(random.fold_in(self.key, len(self.values)))
        else:
            self.values[name] = self.known[name]
        return self.values[name]

    def after(self, statement: Statement) -> None:
        if statement.name in self.values:
            self.statements.append(statement)

    def log_prob(self) -> Any:
        """Log density of the unknowns' values, in nats."""
        terms = [statement.log_density() for statement in self.statements]
        return sum(terms[1:], terms[0]) if terms else bnp.zeros(())


class _OfModel(Handler):
    """Runs the model at values and points: where they lie on R^dim, and the change of variables."""

    def __init__(self, values: Mapping[str, Any], points: Mapping[str, Any]) -> None:
        self.values, self.points = values, points
        self.parts: dict[str, Any] = {}
        self.log_det: Any = 0.0

    def before(self, statement: Statement) -> None:
        statement.supply = self.value

    def value(self, statement: Statement) -> Any:
        """The value of an unknown."""
        bijector, name = statement.law.support.bijector, statement.name
        if name in self.points:
            self.parts[name] = self.points[name]
            return bijector.forward(self.points[name])
        self.parts[name] = bijector.inverse(self.values[name])
        self.log_det = self.log_det + bnp.sum(bijector.forward_and_log_det(self.parts[name])[1])
        return self.values[name]

    def position(self, sites: Sites) -> Any:
        """All parts in order, shape (dim,)."""
        return bnp.concatenate([bnp.reshape(self.parts[name], (-1,)) for name in sites.latent])


def _first(site: Site, key: Any, dtype: Any) -> Any:
    """Weights that keep the scale of what enters a layer, zeros for all else."""
    shape = site.unconstrained_shape
    if site.role != "weight":
        return bnp.zeros(shape, dtype)
    return random.normal(key, shape, dtype) / math.sqrt(max(math.prod(shape[:-1]), 1))


def _refuse_other_shapes(model: Sites, guide: Sites) -> None:
    for name, site in guide.latent.items():
        if name in model.latent and model[name].type.shape != site.type.shape:
            raise SiteError(
                f"the guide's site \"{name}\" has another shape than the model's.",
                facts=[("guide", site.type.shape), ("model", model[name].type.shape)],
                fix="give both the same plates, and the same event axes by to_event.",
                where=site.source or user_source(),
                code="M124",
            )

"""The user's own guide: a model function whose sites are those of the model it approximates."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import SiteError
from bayesdl._base.source import user_source
from bayesdl.infer.minibatch import MinibatchTarget, Turn
from bayesdl.model import as_model
from bayesdl.model.arguments import read_arguments
from bayesdl.model.density import NOTHING, Density
from bayesdl.model.handlers import Handler, Statement, surroundings
from bayesdl.model.sites import Site, Sites, sites_of
from bayesdl.model.summed import Placed
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._base import Guide


@dataclass(frozen=True)
class ModelGuide(Guide):
    """A guide written as a model, with the arguments of the model.

    Its sites with the name of an unknown of the model are that unknown's approximation; discrete
    ones too, with scores or sums for a gradient. Its other sites are parameters, whatever
    their prior: weights of a network that amortises, numbers from ``param("loc")``.
    Unknowns that it leaves out are fitted to a point.

    Parameters
    ----------
    function : callable
    target : Density, optional
        Of the model; with `own`, that of the guide, as `fitted_to` finds them.
    own : Density, optional
    data : sequence of Array
        The arguments' arrays; those that the model was given, or those of a run.
    batches : MinibatchTarget, optional
        Where the guide is drawn for the rows of a minibatch alone; with `part`, the guide for them.
    part : ModelGuide, optional
    weights : dict of str to float
        Of a guide for a minibatch: what stands for how many rows, by unknown.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes (arXiv:1312.6114), for guides that a
    network amortises.
    """

    function: Callable[..., Any]
    target: Density | None = None
    own: Density | None = None
    data: Sequence[Any] = ()
    batches: MinibatchTarget | None = None
    part: ModelGuide | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def estimator(self) -> str:  # type: ignore[override]
        """The score's where it draws discrete unknowns."""
        discrete = self.own is not None and self.discrete
        return "score_function" if discrete else "reparametrised"

    @property
    def has_density(self) -> bool:
        return all(site.point for site in self.points)

    @property
    def points(self) -> list[Site]:
        """Unknowns that it leaves out."""
        target, own = self.both
        return [s for s in target.sites.latent.values() if s.name not in own.sites.latent]

    @property
    def drawn(self) -> list[Site]:
        """Unknowns that it draws, as sites of the model."""
        target, own = self.both
        return [s for s in target.sites.latent.values() if s.name in own.sites.latent]

    @property
    def discrete(self) -> list[str]:
        """Names of the discrete unknowns that it draws, in the order of the draws."""
        assert self.own is not None
        return [n for n, s in self.own.sites.latent.items() if _is_discrete(s)]

    @property
    def both(self) -> tuple[Density, Density]:
        """Model and guide."""
        assert self.target is not None
        assert self.own is not None
        return self.target, self.own

    def fitted_to(self, density: Density) -> ModelGuide:
        known = as_model(self.function)
        args, kwargs = density.arguments.given
        arguments = read_arguments(known, args, kwargs, density.dtype)
        ambient = (*surroundings(), Placed())
        sites = sites_of(known, arguments, ambient, density.dtype)
        _refuse_misfits(density.sites, sites)
        own = Density(known, arguments, sites, density.dtype, ambient)
        return replace(self, target=density, own=own, data=density.data)

    def given(self, data: Sequence[Any]) -> ModelGuide:
        return replace(self, data=data)

    def in_batches(self, batches: MinibatchTarget) -> ModelGuide:
        """The same guide, drawn for the rows of each minibatch where it has values for rows."""
        if batches.part.dim == batches.full.dim:
            return self
        part = ModelGuide(self.function).fitted_to(batches.part)
        return replace(self, batches=batches, part=replace(part, weights=batches.weights))

    def at(self, turn: Turn) -> ModelGuide:
        if self.batches is None or self.part is None:
            return self
        return self.part.given(self.batches.chosen(turn, self.data))

    def start(self, key: Any, position: Any, sd: float) -> Any:
        dtype = self.both[1].dtype
        return {
            "own": {
                s.name: _first(s, random.fold_in(key, i), dtype)
                for i, s in enumerate(parameters_of(self))
            },
            "points": {s.name: s.part(position) for s in self.points},
        }

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        guide, model = self.run(params, key)
        return model.position(self.both[0].sites), guide.log_prob() + model.log_det

    def log_prob(self, params: Any, position: Any) -> Any:
        target, own = self.both
        values = target.constrain(position, *self.data)
        reader = OfGuide(target.sites, params["own"], None, values, self.weights)
        own.run(reader, self.data)
        points = {s.name: s.part(position) for s in self.points}
        placed = OfModel(reader.values, points, self.weights)
        target.run(placed, self.data)
        return reader.log_prob() + placed.log_det

    def run(
        self,
        params: Any,
        key: Any,
        stopped: Collection[str] = (),
        chosen: Mapping[str, Any] = NOTHING,
    ) -> tuple[OfGuide, OfModel]:
        """A draw, and the model at it.

        Parameters
        ----------
        params : container of arrays
        key : Array of uint32, shape (2,)
        stopped : collection of str
            Unknowns whose values have no slope.
        chosen : dict of str to Array
            Unknowns that are not drawn, but have these values.
        """
        target, own = self.both
        guide = OfGuide(target.sites, params["own"], key, None, self.weights, stopped)
        own.run(guide, self.data, chosen)
        model = OfModel(guide.values, params["points"], self.weights)
        target.run(model, self.data, chosen)
        return guide, model


def parameters_of(guide: ModelGuide) -> list[Site]:
    """Sites of the guide that are no unknowns of the model."""
    target, own = guide.both
    return [s for s in own.sites.latent.values() if s.name not in target.sites.latent]


def discrete_in(function: Callable[..., Any], data: Sequence[Any]) -> frozenset[str]:
    """Names of the discrete sites of a guide that are not data."""
    known = as_model(function)
    arguments = read_arguments(known, data)
    sites = sites_of(known, arguments, (*surroundings(), Placed()), np.float64)
    return frozenset(n for n, s in sites.latent.items() if _is_discrete(s))


class OfGuide(Handler):
    """Runs the guide: parameters from a dict, the model's unknowns by draws or from values."""

    def __init__(
        self,
        unknowns: Sites,
        own: Mapping[str, Any],
        key: Any,
        values: Any,
        weights: Mapping[str, float],
        stopped: Collection[str] = (),
    ) -> None:
        self.unknowns, self.own, self.key, self.known = unknowns, own, key, values
        self.weights, self.stopped = weights, stopped
        self.statements: dict[str, Statement] = {}
        self.values: dict[str, Any] = {}

    def before(self, statement: Statement) -> None:
        statement.supply = self.value

    def value(self, statement: Statement) -> Any:
        """A parameter, or the value of an unknown."""
        name, law = statement.name, statement.law
        if name in self.own:
            return law.support.bijector.forward(self.own[name])
        if self.known is None:
            drawn = law.sample(random.fold_in(self.key, len(self.values)))
            self.values[name] = bnp.stop_gradient(drawn) if name in self.stopped else drawn
        else:
            self.values[name] = self.known[name]
        return self.values[name]

    def after(self, statement: Statement) -> None:
        if statement.kind == "sample" and statement.name in self.unknowns.latent:
            self.statements[statement.name] = statement

    def log_prob(self) -> Any:
        """Log density of the values of all unknowns, in nats; scaled to all rows."""
        terms = [self.weights.get(n, 1.0) * s.log_density() for n, s in self.statements.items()]
        return sum(terms[1:], terms[0]) if terms else bnp.zeros(())


class OfModel(Handler):
    """Runs the model at values and points: where they lie on R^dim, and the change of variables."""

    def __init__(
        self, values: Mapping[str, Any], points: Mapping[str, Any], weights: Mapping[str, float]
    ) -> None:
        self.values, self.points, self.weights = values, points, weights
        self.statements: dict[str, Statement] = {}
        self.parts: dict[str, Any] = {}
        self.log_dets: dict[str, Any] = {}

    def before(self, statement: Statement) -> None:
        statement.supply = self.value

    def after(self, statement: Statement) -> None:
        if statement.kind != "units":
            self.statements[statement.name] = statement

    def value(self, statement: Statement) -> Any:
        """The value of an unknown."""
        name, support = statement.name, statement.law.support
        if name in self.points:
            self.parts[name] = self.points[name]
            value, log_det = support.bijector.forward_and_log_det(self.points[name])
            self.log_dets[name] = bnp.zeros_like(log_det) if statement.point else log_det
            return value
        value = self.values[name]
        if support.is_discrete:
            self.parts[name] = bnp.asarray(value, bnp.default_dtype())
            return value
        self.parts[name] = support.bijector.inverse(value)
        self.log_dets[name] = support.bijector.forward_and_log_det(self.parts[name])[1]
        return value

    @property
    def log_det(self) -> Any:
        """Of the change of variables, of what is drawn; scaled to all rows."""
        drawn = [n for n in self.log_dets if n not in self.points]
        return sum((self.weights.get(n, 1.0) * bnp.sum(self.log_dets[n]) for n in drawn), 0.0)

    @property
    def log_det_of_points(self) -> Any:
        """Of the change of variables, of points."""
        return sum((bnp.sum(self.log_dets[n]) for n in self.points), 0.0)

    def position(self, sites: Sites) -> Any:
        """All parts in order, shape (dim,)."""
        return bnp.concatenate([bnp.reshape(self.parts[name], (-1,)) for name in sites.latent])


def _first(site: Site, key: Any, dtype: Any) -> Any:
    """Weights that keep the scale of what enters a layer; else where a site starts, or zeros."""
    shape = site.unconstrained_shape
    if site.start is not None and site.constraint is not None:
        value = bnp.broadcast_to(bnp.asarray(site.start, dtype), site.type.shape)
        return bnp.asarray(site.constraint.bijector.inverse(value), dtype)
    if site.role != "weight":
        return bnp.zeros(shape, dtype)
    return random.normal(key, shape, dtype) / math.sqrt(max(math.prod(shape[:-1]), 1))


def _refuse_misfits(model: Sites, guide: Sites) -> None:
    for name, site in guide.latent.items():
        if name in model and not model[name].latent:
            raise _misfit(site, "is no unknown of the model that it could draw", model[name].kind)
        if name in model and model[name].type.shape != site.type.shape:
            raise _misfit(
                site,
                "has another shape than the model's",
                model[name].type.shape,
                "give both the same plates, and the same event axes by to_event.",
            )
        if name in model and site.point:
            raise _misfit(
                site,
                "is a parameter",
                model[name].distribution,
                "draw it from a distribution, or leave it out: it is then fitted to a point.",
            )
        if name in model and _is_discrete(model[name]) != _is_discrete(site):
            raise _misfit(site, "has other values than the model's", model[name].distribution)
    if not any(name in model.latent for name in guide.latent):
        raise SiteError(
            "the guide draws none of the model's unknowns.",
            facts=[("guide", ", ".join(guide.latent)), ("model", ", ".join(model.latent))],
            fix='give its sites the names of the model\'s; guide="map" fits points.',
            where=user_source(),
            code="M124",
        )


def _is_discrete(site: Site) -> bool:
    return site.constraint is not None and site.constraint.is_discrete


def _misfit(
    site: Site, what: str, models: Any, fix: str = "draw it from such a distribution, or rename it."
) -> SiteError:
    own = site.type.shape if "shape" in what else site.distribution
    return SiteError(
        f'the guide\'s site "{site.name}" {what}.',
        facts=[("guide", own), ("model", models)],
        fix=fix,
        where=site.source or user_source(),
        code="M124",
    )

"""A guide of the user's own and its model together: what each statement adds to log w of a draw."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.builder import Builder
from bayesdl.ir.types import ArrayType
from bayesdl.model.density import NOTHING
from bayesdl.model.dependence import by_plates, scaled_terms
from bayesdl.model.handlers import Statement
from bayesdl.model.summed import Run
from bayesdl.ops import numpy as bnp
from bayesdl.ops._trace import building
from bayesdl.ops.array import Array

from .guides import ModelGuide
from .guides.model import OfGuide, OfModel, parameters_of

NO_PLATES: tuple[str, ...] = ()


def law_of(name: str) -> str:
    """What the guide's statement of an unknown is called beside the model's: as no site can be."""
    return f"guide/{name}"


@dataclass(frozen=True)
class Joint:
    """The statements of one draw: the model's, and those of the guide that draw unknowns.

    Parameters
    ----------
    guide : ModelGuide
    drawn : OfGuide
    model : OfModel
    """

    guide: ModelGuide
    drawn: OfGuide
    model: OfModel

    @property
    def laws(self) -> dict[str, Statement]:
        """What the guide draws from, by unknown."""
        return self.drawn.statements

    def laws_at(self, values: Mapping[str, Any]) -> dict[str, Statement]:
        """Those of some unknowns, with the values that they were given."""
        return {name: replace(self.laws[name], value=value) for name, value in values.items()}

    @property
    def statements(self) -> dict[str, Statement]:
        """All that have a density, the guide's under names of their own."""
        counted = {n: s for n, s in self.model.statements.items() if s.kind != "deterministic"}
        return {**counted, **{law_of(n): s for n, s in self.laws.items()}}

    @property
    def in_sums(self) -> frozenset[str]:
        """Statements that discrete unknowns which the guide does not draw are summed over in."""
        groups = self.guide.both[0].sites.groups
        return frozenset(name for group in groups for name in group.members)

    def gains(self, prior: Any) -> dict[str, Any]:
        """What each statement adds to log w, of its batch shape; scaled to all rows.

        Parameters
        ----------
        prior : Array, shape ()
            What log prior − log guide is multiplied with.
        """
        latent = self.guide.both[0].sites.latent
        found = self._of_model(self.model.points)
        found = {n: prior * gain if n in latent else gain for n, gain in found.items()}
        for name, statement in self.laws.items():
            weight = self.guide.weights.get(name, 1.0)
            found[law_of(name)] = -prior * weight * scaled_terms(statement)
        return found

    def densities(self) -> dict[str, Any]:
        """What each of the model adds to the log density on R^dim, of its batch shape."""
        return self._of_model(self.model.log_dets)

    def _of_model(self, changed: Collection[str]) -> dict[str, Any]:
        """Terms that stand in no sum, and log |det| of some unknowns; scaled to all rows."""
        found: dict[str, Any] = {}
        for name, statement in self.model.statements.items():
            parts = []
            if statement.kind != "deterministic" and name not in self.in_sums:
                parts.append(scaled_terms(statement))
            if name in changed:
                log_det = self.model.log_dets[name]
                events = tuple(range(len(statement.law.batch_shape), np.ndim(log_det)))
                parts.append(bnp.sum(log_det, events) if events else log_det)
            if parts:
                found[name] = self.guide.weights.get(name, 1.0) * sum(parts[1:], parts[0])
        return found

    def by_plates(
        self, terms: Mapping[str, Any], plates: Mapping[str, tuple[str, ...]]
    ) -> dict[str, Any]:
        """Those of some terms for which plates are named, summed over all axes but theirs."""
        known = self.statements
        return {n: by_plates(known[n], terms[n], p) for n, p in plates.items() if n in terms}

    def total(self, terms: Mapping[str, Any], without: Collection[str] = ()) -> Any:
        """All terms but some, summed."""
        others = {n: NO_PLATES for n in terms if n not in without}
        return sum(self.by_plates(terms, others).values(), bnp.zeros(()))


def joint_of(
    guide: ModelGuide,
    params: Any,
    key: Any,
    stopped: Collection[str] = (),
    chosen: Mapping[str, Any] = NOTHING,
) -> Joint:
    """The statements of one draw, with arguments as those of `ModelGuide.run`."""
    return Joint(guide, *guide.run(params, key, stopped, chosen))


@contextmanager
def on_types(
    guide: ModelGuide, names: Collection[str]
) -> Iterator[tuple[Joint, dict[str, Any], Builder]]:
    """Guide and model at values in flight of some unknowns, and the builder of that trace."""
    target, own = guide.both
    builder = Builder(Array)
    with building(builder), bnp.using_dtype(target.dtype):
        values = {name: builder.input(target.sites[name].type) for name in names}
        own_params = {s.name: _in_flight(builder, s, own.dtype) for s in parameters_of(guide)}
        points = {s.name: _in_flight(builder, s, target.dtype) for s in guide.points}
        here = replace(guide, data=[builder.input(t) for t in target.data_types])
        key = builder.input(ArrayType((2,), np.dtype(np.uint32)))
        params = {"own": own_params, "points": points}
        yield joint_of(here, params, key, (), values), values, builder


def _in_flight(builder: Builder, site: Any, dtype: Any) -> Any:
    return builder.input(ArrayType(site.unconstrained_shape, np.dtype(dtype)))


def sums_of(guide: ModelGuide, params: Any, key: Any, joint: Joint) -> list[Any]:
    """Log-sums over the discrete unknowns that the guide leaves to the model, one for each group.

    They are scaled to all rows. The groups are those of the model's sites, in their order.
    """

    def statements(values: Any, params: Any, key: Any, data: Any) -> Mapping[str, Statement]:
        here = guide.given(data)
        return here.run(params, key, joint.drawn.stopped, values)[1].statements

    run = Run(statements, (params, key, tuple(guide.data)))
    groups = guide.both[0].sites.groups
    base = joint.model.statements
    return [guide.weights.get(g.label, 1.0) * g.log_sum(run, base) for g in groups]

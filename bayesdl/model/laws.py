"""The distributions of a model's observed sites as arrays: predictions that need no unknowns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import SiteError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle
from bayesdl.ir.types import ArrayType
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing import trace

from ._statement import Statement
from .density import Density
from .expected import mean_of, parts_of


@dataclass(frozen=True, eq=False)
class Laws:
    """The observed sites of a model at its data, given arrays in the place of its unknowns.

    The arrays of a site ``y`` have the names of its distribution's parameters: ``y.loc``,
    ``y.scale``. Parameters that are plain numbers are known, and not among them.

    Parameters
    ----------
    density : Density
    types : dict of str to ArrayType
        Of each array.
    statements : dict of str to (int, Statement)
        Number among the model's sample statements, and the statement, of each observed site.
    """

    density: Density
    types: dict[str, ArrayType]
    statements: dict[str, tuple[int, Statement]]

    def parameters(self, position: Any, *data: Any) -> dict[str, Any]:
        """The arrays at a position, shape (dim,)."""
        return _arrays(self.density.observed_statements(position, *data))

    def predict(self, values: Mapping[str, Any], key: Any, kind: str) -> dict[str, Any]:
        """An observation of each site ("y"), its "mean" or "parts", from the arrays of one draw."""
        found: dict[str, Any] = {}
        with bnp.using_dtype(self.density.dtype):
            for name, (number, statement) in self.statements.items():
                law = self._filled(statement, values).law
                if kind == "parts":
                    found.update(parts_of(name, law))
                    continue
                # The key that the site has where the whole model is simulated.
                own = random.fold_in(key, number)
                found[name] = mean_of(law) if kind == "mean" else law.sample(own)
        return found

    def log_likelihood(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Log likelihood of each observation, by site, from the arrays of one draw."""
        with bnp.using_dtype(self.density.dtype):
            return {
                name: self._filled(statement, values).pointwise()
                for name, (_, statement) in self.statements.items()
            }

    def _filled(self, statement: Statement, values: Mapping[str, Any]) -> Statement:
        filled = copy.copy(statement)
        filled.value = self.density.sites.data[statement.name]
        law, mask = f"{statement.name}.", f"{statement.name}.mask"
        filled.distribution = _replaced(statement.law, law, lambda name: bnp.asarray(values[name]))
        filled.mask = bnp.asarray(values[mask]) if mask in values else statement.mask
        return filled


def observed_laws(density: Density) -> Laws:
    """Take the distributions of a model's observed sites apart.

    Raises
    ------
    SiteError
        If no site is observed, or one depends on a discrete unknown that is summed over.
    """
    if not has_laws(density):
        _refuse_summed(density)
        raise SiteError(
            'keep="predictive" needs an observed site: there is nothing to predict.',
            facts=[("sites", ", ".join(density.sites))],
            fix='pass the data that feed obs=, or keep="all".',
            where=user_source(),
            code="M122",
        )
    found: dict[str, tuple[int, Statement]] = {}

    def read(position: Any, *data: Any) -> dict[str, Any]:
        found.update(density.observed_statements(position, *data))
        return _arrays(found)

    with bnp.using_dtype(density.dtype):
        place = ArrayType((density.dim,), density.dtype)
        traced = trace(read, place, *density.data_types, name="laws")
    types = dict(zip(traced.tree.keys, traced.program.output_types, strict=True))
    return Laws(density, types, found)


def has_laws(density: Density) -> bool:
    """Whether sites are observed, none of which depends on an unknown that is summed over."""
    return any(s.observed for s in density.sites.values()) and not _summed(density)


def _summed(density: Density) -> list[str]:
    grouped = {name for group in density.sites.groups for name in group.members}
    return [n for n, site in density.sites.items() if site.observed and n in grouped]


def _refuse_summed(density: Density) -> None:
    found = _summed(density)
    if found:
        raise SiteError(
            'keep="predictive" cannot keep what depends on a discrete unknown.',
            facts=[("observed sites that do", ", ".join(found))],
            fix='keep="all" predicts; or write the sum yourself, as dist.Mixture.',
            where=user_source(),
            code="M122",
        )


def _arrays(statements: Mapping[str, tuple[int, Statement]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (_, statement) in statements.items():
        found.update(_leaves(statement.law, f"{name}."))
        if isinstance(statement.mask, Handle):
            found[f"{name}.mask"] = statement.mask
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The arrays in flight inside a distribution, each with its path."""
    if isinstance(value, Handle):
        yield path[:-1], value
    for name, part in _parts(value):
        yield from _leaves(part, f"{path}{name}.")


def _replaced(value: Any, path: str, new: Callable[[str], Any]) -> Any:
    """The same with other arrays in the place of those in flight."""
    if isinstance(value, Handle):
        return new(path[:-1])
    parts = {name: _replaced(part, f"{path}{name}.", new) for name, part in _parts(value)}
    if isinstance(value, tuple | list):
        return type(value)(parts.values())
    changed = {name: part for name, part in parts.items() if part is not getattr(value, name)}
    if not changed:
        return value
    other = copy.copy(value)
    for name, part in changed.items():
        object.__setattr__(other, name, part)
    return other


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, tuple | list):
        return [(str(i), part) for i, part in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type | Handle | np.ndarray):
        return [(f.name, getattr(value, f.name)) for f in fields(value)]
    return []

"""What the dropout family is run on: the density of a network under noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ModelError
from bayesdl._base.source import user_source
from bayesdl.model.density import Density
from bayesdl.model.handlers import Handler, Statement, thinned
from bayesdl.model.sites import sites_of
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from .minibatch import MinibatchTarget, Turn, minibatch_target


@dataclass(frozen=True)
class Weights:
    """Where the weights of one layer lie in a position.

    Parameters
    ----------
    start : int
        Their first coordinate.
    units : int
        How many units enter the layer.
    width : int
        Weights of each of them.
    site : str
        Name of their site.
    rate : float or None
        How often a unit is dropped, where the model says so.
    """

    start: int
    units: int
    width: int
    site: str = ""
    rate: float | None = None

    @property
    def layer(self) -> str:
        """Name of the layer."""
        return self.site.rpartition(".")[0]

    @property
    def slice(self) -> slice:
        """Their coordinates."""
        return slice(self.start, self.start + self.units * self.width)


def weights_of(density: Density) -> tuple[Weights, ...]:
    """The weights of all layers, in the order of the position.

    Raises
    ------
    ModelError
        If the model has no weights of layers, or no observed site whose first axis is its rows.
    """
    latent = density.sites.latent.values()
    observed = [s for s in density.sites.values() if s.observed and s.type.shape]
    found = []
    for site in latent:
        if site.role == "weight":
            units = site.unconstrained_shape[0]
            found.append(Weights(site.slice.start, units, site.size // units, site.name))
    if not found or not observed:
        raise ModelError(
            "this method needs a network: weights of layers, and observed rows.",
            facts=[("sites", ", ".join(density.sites) or "none")],
            fix='build the model with bayesdl.nn, or use method="nuts" or "advi".',
            where=user_source(),
            code="S105",
        )
    return tuple(found)


def spread(values: Sequence[Any], weights: Sequence[Weights], dim: int, dtype: Any) -> Any:
    """An array (dim,): `values[i]`, a scalar or (units, 1), at the i-th layer's weights; else 1."""
    parts, at = [], 0
    for value, w in zip(values, weights, strict=True):
        here = bnp.broadcast_to(bnp.asarray(value, dtype), (w.units, w.width))
        parts += [bnp.ones(w.start - at, dtype), bnp.reshape(here, (-1,))]
        at = w.slice.stop
    return bnp.concatenate([*parts, bnp.ones(dim - at, dtype)])


def keep_units(position: Any, rates: Sequence[Any], weights: Sequence[Weights]) -> Any:
    """The position where no unit is dropped: weights divided by 1 − rate."""
    stretch = [1.0 / (1.0 - rate) for rate in rates]
    return position * spread(stretch, weights, position.shape[0], position.dtype)


def rates_of(weights: Sequence[Weights], rate: Any) -> list[Any]:
    """How often a unit is dropped, for each of `weights`; `rate` where the model does not say."""
    return [rate if w.rate is None else w.rate for w in weights]


def layers_of(weights: Sequence[Weights]) -> list[str]:
    """Names of the layers, each once."""
    return list(dict.fromkeys(w.layer for w in weights))


def owner(name: str, layers: Sequence[str]) -> str:
    """The layer that a statement of units belongs to, by its name."""
    return name if name in layers else name.rpartition(".")[0]


class _Units(Handler):
    """Notes the statements of units."""

    def __init__(self) -> None:
        self.seen: list[Statement] = []

    def before(self, statement: Statement) -> None:
        if statement.kind == "units":
            self.seen.append(statement)


def unit_statements(density: Density) -> list[Statement]:
    """What the model says of units that enter layers, in its order."""
    units = _Units()
    sites_of(density.model, density.arguments, (*density.ambient, units), density.dtype)
    return units.seen


def _rates(density: Density, layers: Sequence[str]) -> dict[str, float]:
    """The rates of those layers that follow an `nn.Dropout`."""
    found: dict[str, float] = {}
    waiting: Statement | None = None
    for statement in unit_statements(density):
        if statement.rate is not None:
            _refuse_idle(waiting, layers)
            waiting = statement
        elif waiting is not None and waiting.rate is not None and statement.value is not None:
            found[owner(statement.name, layers)] = waiting.rate
            waiting = None
    _refuse_idle(waiting, layers)
    return found


def _refuse_idle(waiting: Statement | None, layers: Sequence[str]) -> None:
    if waiting is not None:
        raise ModelError(
            "no layer with weights follows a dropout.",
            facts=[("rate", waiting.rate), ("layers", ", ".join(layers))],
            fix="put nn.Dropout before the layer whose units are to be dropped.",
            where=waiting.source,
            code="S105",
        )


def dropped_weights(density: Density, single: bool = False) -> tuple[Weights, ...]:
    """The weights of the layers whose units are dropped, in the order of the position.

    Those of the layers that follow an `nn.Dropout`; where there is none, those of all layers that
    have priors and that more than one unit enters, or of all with priors if `single`: to drop a
    single one would be to drop all that the layer reads.

    Raises
    ------
    ModelError
        If there are none, or no layer follows an `nn.Dropout`.
    """
    weights = weights_of(density)
    rates = _rates(density, layers_of(weights))
    if rates:
        return tuple(replace(w, rate=rates[w.layer]) for w in weights if w.layer in rates)
    several = tuple(
        w for w in weights if (w.units > 1 or single) and not density.sites[w.site].point
    )
    if not several:
        raise ModelError(
            "there is nothing to drop: a single unit enters each layer that has a prior.",
            facts=[("layers", ", ".join(layers_of(weights)))],
            fix="put nn.Dropout before a layer, give one a prior, or add a hidden layer.",
            where=user_source(),
            code="S105",
        )
    return several


class Perturbed(Handler):
    """Changes the units that enter layers.

    Parameters
    ----------
    layers : list of str
        Others are left as they are.
    change : callable, (layer, count, x) -> x
        `count` numbers the statements.
    """

    def __init__(self, layers: Sequence[str], change: Callable[[str, int, Any], Any]) -> None:
        self.layers, self.change = layers, change
        self.count = 0

    def start(self) -> None:
        self.count = 0

    def before(self, statement: Statement) -> None:
        if statement.kind != "units" or statement.value is None:
            return
        layer = owner(statement.name, self.layers)
        if layer in self.layers:
            statement.value = self.change(layer, self.count, statement.value)
            self.count += 1


@dataclass(frozen=True)
class NoisyTarget:
    """The density of a network under noise, estimated from a minibatch of rows.

    Parameters
    ----------
    minibatch : MinibatchTarget
    weights : tuple of Weights
    """

    minibatch: MinibatchTarget
    weights: tuple[Weights, ...]

    @property
    def dim(self) -> int:
        """Length of a position."""
        return self.minibatch.dim

    @property
    def dtype(self) -> Any:
        """Of a position."""
        return self.minibatch.dtype

    @property
    def data(self) -> Sequence[Any]:
        """All rows of the data."""
        return self.minibatch.data

    def key(self, turn: Turn) -> Any:
        """Of the noise of one step."""
        return random.fold_in(random.fold_in(turn.key, turn.step), 1)

    def likelihood(self, position: Any, rows: Sequence[Any], turn: Turn, *noise: Handler) -> Any:
        """The log density of all but the weights, under noise and scaled to all rows."""
        part = self.minibatch.part
        noisy = replace(part, ambient=(*part.ambient, *noise))
        sites = {w.site for w in self.weights}
        terms = noisy.site_log_densities(position, *rows)
        return self.minibatch.total({n: t for n, t in terms.items() if n not in sites}, turn)


@dataclass(frozen=True)
class DropoutTarget(NoisyTarget):
    """The density of a network under Bernoulli masks.

    Parameters
    ----------
    rate : float
        Probability that a unit is dropped where the model does not say it. An input of what is
        compiled.
    """

    rate: float

    @property
    def data(self) -> Sequence[Any]:
        """The rate, and all rows of the data."""
        return [np.asarray(self.rate, self.dtype), *self.minibatch.data]

    def function(self, position: Any, turn: Turn, rate: Any, *data: Any) -> Any:
        """Log density under fresh masks, scaled to all rows; the mean log prior of the weights.

        A weight w stands for one that is w / (1 − rate) where its unit is kept and 0 where it is
        dropped, so the mean of its log prior is (1 − rate) log prior(w / (1 − rate)) and a
        constant.
        """
        rows, key = self.minibatch.chosen(turn, data), self.key(turn)
        rates = rates_of(self.weights, rate)
        by_layer = {w.layer: r for w, r in zip(self.weights, rates, strict=True)}

        def thin(layer: str, count: int, x: Any) -> Any:
            return thinned(random.fold_in(key, count), x, by_layer[layer])

        total = self.likelihood(position, rows, turn, Perturbed(list(by_layer), thin))
        kept = self.minibatch.part.site_log_densities(
            keep_units(position, rates, self.weights), *rows
        )
        for w, r in zip(self.weights, rates, strict=True):
            total = total + (1.0 - r) * kept[w.site]
        return total


def dropout_target(density: Density, rate: float, batch: int | None) -> DropoutTarget:
    """The target of MC dropout for a model of a network.

    Parameters
    ----------
    density : Density
    rate : float
    batch : int or None
        Rows in each estimate; all of them up to 512, else 128.

    Raises
    ------
    ModelError
        If the model is no network, or the batch does not fit its rows.
    """
    return DropoutTarget(*noisy_parts(density, batch), rate)


def noisy_parts(density: Density, batch: int | None) -> tuple[MinibatchTarget, tuple[Weights, ...]]:
    """What every target of the family is made of; `batch` as for `dropout_target`."""
    weights = dropped_weights(density)
    return minibatch_target(density, usual_batch(density, batch)), weights


def usual_batch(density: Density, batch: int | None) -> int:
    """The size of a minibatch: all rows up to 512, else 128, unless it is given."""
    rows = next(s.type.shape[0] for s in density.sites.values() if s.observed and s.type.shape)
    return batch if batch is not None else rows if rows <= 512 else 128

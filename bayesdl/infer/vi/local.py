"""The noise of weights where it arrives, at the sums of a layer, of each row by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ModelError
from bayesdl._base.source import user_source
from bayesdl.bijectors import Identity
from bayesdl.model.density import Density
from bayesdl.model.handlers import Handler, Statement
from bayesdl.model.sites import Site
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ..minibatch import Turn, minibatch_target
from ..targets import NoisyTarget, Weights, unit_statements, weights_of


@dataclass(frozen=True)
class Spread:
    """A draw of a mean-field guide, and the guide's mean and sd, each of shape (dim,)."""

    __tree__: ClassVar[bool] = True

    draw: Any
    mean: Any
    sd: Any


class NoisySums(Handler):
    """Adds to the sums of layers the noise that comes from that of the weights.

    Given units x, the sums x W of independent weights N(m, s²) have mean x m and variance x² s².

    Parameters
    ----------
    key : Array, shape (2,)
    sds : dict of str to Array
        Of the weights, by layer.
    """

    def __init__(self, key: Any, sds: dict[str, Any]) -> None:
        self.key, self.sds = key, sds
        self.count = 0

    def start(self) -> None:
        self.count = 0

    def before(self, statement: Statement) -> None:
        if statement.product is None or statement.name not in self.sds:
            return
        x, sd = statement.entering, self.sds[statement.name]
        # The least normal number keeps the slope of the root finite where all units are 0.
        variance = statement.product(x * x, sd * sd) + np.finfo(sd.dtype).tiny
        noise = random.normal(random.fold_in(self.key, self.count), variance.shape, sd.dtype)
        statement.noise = bnp.sqrt(variance) * noise
        self.count += 1


class FlippedSums(Handler):
    """Adds to the sums of layers one draw of the noise of their weights, its signs drawn by row.

    With signs r of the units of a row and s of its sums, x (D ∘ r sᵀ) = (x ∘ r) D ∘ s; where D is
    symmetric about 0 and its elements are independent, it has the law of x D.

    Parameters
    ----------
    key : Array, shape (2,)
    changes : dict of str to Array
        D by layer: a draw of the weights less their mean.
    """

    def __init__(self, key: Any, changes: dict[str, Any]) -> None:
        self.key, self.changes = key, changes
        self.count = 0

    def start(self) -> None:
        self.count = 0

    def before(self, statement: Statement) -> None:
        if statement.product is None or statement.name not in self.changes:
            return
        x, change = statement.entering, self.changes[statement.name]
        sums = statement.product(x * self._signs(x), change)
        statement.noise = sums * self._signs(sums)

    def _signs(self, like: Any) -> Any:
        """−1 or 1 for each channel of each row."""
        shape = (like.shape[0], *(1,) * (like.ndim - 2), like.shape[-1])
        self.count += 1
        heads = random.uniform(random.fold_in(self.key, self.count), shape, like.dtype) < 0.5
        return bnp.where(heads, bnp.ones((), like.dtype), -bnp.ones((), like.dtype))


@dataclass(frozen=True)
class LocalTarget(NoisyTarget):
    """A log density whose likelihood is averaged over weights by noise in the sums of layers.

    Its `weights` are those of the layers that this holds for; all else is drawn as the guide does,
    so are weights that a prior with scales of its own multiplies before they meet the units.

    Parameters
    ----------
    flipped : bool
        Whether noise is that of one draw of the weights, with signs of its own for each row.
    """

    flipped: bool = False

    def function(self, place: Any, turn: Turn, *data: Any) -> Any:
        """Log density at a position, or its estimate for the guide of a `Spread`.

        Likelihood and prior have noise of their own. Both are unbiased, so their sum is.
        """
        if not isinstance(place, Spread):
            return self.minibatch.function(place, turn, *data)
        rows, part = self.minibatch.chosen(turn, data), self.minibatch.part
        noise = self._of_layers(place.draw - place.mean if self.flipped else place.sd)
        handler = FlippedSums if self.flipped else NoisySums
        noisy = replace(part, ambient=(*part.ambient, handler(turn.noise, noise)))
        seen = noisy.site_log_densities(self._centred(place), *rows)
        terms = part.site_log_densities(place.draw, *rows)
        latent = part.sites.latent
        merged = {name: term if name in latent else seen[name] for name, term in terms.items()}
        return self.minibatch.total(merged, turn)

    def _of_layers(self, values: Any) -> dict[str, Any]:
        """Of an array (dim,), the parts that belong to the weights of the layers."""
        sites = self.minibatch.part.sites
        return {
            w.layer: bnp.reshape(values[w.slice], sites[w.site].type.shape) for w in self.weights
        }

    def _centred(self, place: Spread) -> Any:
        """The draw, with the weights of the layers at their mean."""
        parts, at = [], 0
        for w in self.weights:
            parts += [place.draw[at : w.start], place.mean[w.slice]]
            at = w.slice.stop
        return bnp.concatenate([*parts, place.draw[at:]])


def local_target(density: Density, batch: int | None) -> LocalTarget:
    """The target of local reparametrisation for a model of a network.

    Parameters
    ----------
    density : Density
    batch : int or None
        Rows in each estimate; all if not given.

    Raises
    ------
    ModelError
        If no layer multiplies its units with real weights and does nothing else with either.

    References
    ----------
    Kingma, Salimans & Welling (2015), Variational dropout and the local reparameterization trick,
    section 2.3 (arXiv:1506.02557).
    """
    return LocalTarget(minibatch_target(density, batch), _weights(density, convolved=False))


def flipped_target(density: Density, batch: int | None) -> LocalTarget:
    """The target of flipout, for linear layers and convolutions; as `local_target`.

    References
    ----------
    Wen, Vicol, Ba, Tran & Grosse (2018), Flipout: efficient pseudo-independent weight perturbations
    on mini-batches, section 3 (arXiv:1803.04386).
    """
    return LocalTarget(minibatch_target(density, batch), _weights(density, convolved=True), True)


def _weights(density: Density, convolved: bool) -> tuple[Weights, ...]:
    """Those that meet the units as the guide draws them."""
    said = [s for s in unit_statements(density) if s.product is not None]
    sums = [s.name for s in said if s.once or convolved]
    scaled = {s.layer for s in density.sites.values() if s.role == "scale"}
    weights = tuple(
        w
        for w in weights_of(density)
        if w.layer in sums and w.layer not in scaled and _is_free(density.sites[w.site])
    )
    if not weights:
        raise ModelError(
            "noise in the sums of layers needs linear layers with weights of any sign.",
            facts=[("sites", ", ".join(density.sites))],
            fix='use nn.Linear on (rows, features), or leave `estimator` out; "flipout" takes '
            "nn.Linear on (rows, time, features) and nn.Conv2d too.",
            where=user_source(),
            code="S105",
        )
    return weights


def _is_free(site: Site) -> bool:
    """Whether the value itself has a normal distribution, the guide's."""
    if site.point or site.constraint is None:
        return False
    return isinstance(site.constraint.bijector, Identity)

"""The structured guide: normal, dense within a site or layer, independent between them."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.model.density import Density
from bayesdl.model.sites import Site, Sites
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops.linalg import triangular_solve

from ._base import LOG_2PI, Guide, guide, standard_log_prob

LOG = logging.getLogger("bayesdl")
Span = tuple[int, int]


@guide
@dataclass(frozen=True)
class Structured(Guide):
    """A normal distribution with a dense covariance within each site, or each layer.

        z = mean + sd · (A ε),   A block diagonal, lower triangular, with ones on the diagonal

    Parameters
    ----------
    within : {"site", "layer"}
        What the blocks are; sites of no layer are blocks of their own.
    largest : int
        Blocks of more coordinates than this have independent ones; the log names them.
    spans : tuple of (int, int)
        First and last + 1 coordinate of each dense block, as found from the model.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), Automatic differentiation variational
    inference, section 2.4 (arXiv:1603.00788), for the dense case.
    """

    name: ClassVar[str] = "structured"

    within: str = "site"
    largest: int = 200
    spans: tuple[Span, ...] = ()

    def fitted_to(self, density: Density) -> Structured:
        if self.within not in ("site", "layer"):
            raise ArgumentError(
                "a structured guide has no such blocks.",
                facts=[("within", self.within), ("known", "site, layer")],
                fix='write within="site" or within="layer".',
                where=user_source(),
                code="A108",
            )
        blocks = _blocks(density.sites, self.within)
        large = [(name, stop - start) for name, (start, stop) in blocks]
        large = [(name, size) for name, size in large if size > self.largest]
        if large:
            LOG.warning(
                "the structured guide takes coordinates as independent in blocks of more than %d: "
                "%s; Structured(largest=%d) makes them dense, with %d parameters more.",
                self.largest,
                ", ".join(f"{name} ({size})" for name, size in large),
                max(size for _, size in large),
                sum(size * (size - 1) // 2 for _, size in large),
            )
        spans = (span for _, span in blocks if 1 < span[1] - span[0] <= self.largest)
        return replace(self, spans=tuple(spans))

    def start(self, key: Any, position: Any, sd: float) -> Any:
        size = self._size(position.shape[0])
        return {
            "mean": position,
            "log_sd": bnp.full_like(position, math.log(sd)),
            "below": bnp.zeros((size,), position.dtype),
        }

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        mean, log_sd = params["mean"], params["log_sd"]
        noise = random.normal(key, mean.shape, mean.dtype)
        position = mean + bnp.exp(log_sd) * self._by_block(params, noise, lambda a, x: a @ x)
        return position, standard_log_prob(noise) - log_sd.sum()

    def log_prob(self, params: Any, position: Any) -> Any:
        scaled = (position - params["mean"]) * bnp.exp(-params["log_sd"])
        noise = self._by_block(params, scaled, triangular_solve)
        return standard_log_prob(noise) - params["log_sd"].sum()

    def entropy(self, params: Any) -> Any:
        log_sd = params["log_sd"]
        return log_sd.sum() + 0.5 * log_sd.shape[0] * (1.0 + LOG_2PI)

    def dense(self, dim: int) -> tuple[Span, ...]:
        """The dense blocks of a position of this length."""
        return self.spans

    def _size(self, dim: int) -> int:
        return sum((stop - start) * (stop - start - 1) // 2 for start, stop in self.dense(dim))

    def _by_block(self, params: Any, x: Any, function: Any) -> Any:
        dim, at, used = x.shape[0], 0, 0
        parts = []
        for start, stop in self.dense(dim):
            n = stop - start
            count = n * (n - 1) // 2
            a = _unit_lower(params["below"][used : used + count], n)
            parts += [x[at:start], function(a, x[start:stop])]
            at, used = stop, used + count
        return bnp.concatenate([p for p in [*parts, x[at:]] if p.shape[0]])


def _unit_lower(below: Any, n: int) -> Any:
    place = np.zeros((n, n), np.int64)
    inside = np.tril(np.ones((n, n), bool), -1)
    place[inside] = np.arange(n * (n - 1) // 2)
    return bnp.where(inside, below[place], bnp.asarray(np.eye(n), below.dtype))


def _blocks(sites: Sites, within: str) -> list[tuple[str, Span]]:
    """Sites, or layers, each with its coordinates among those of unknowns with priors."""
    drawn, found, stop = [s for s in sites.latent.values() if not s.point], [], 0
    while drawn:
        first, start = drawn.pop(0), stop
        name, stop = first.name, start + first.size
        while drawn and within == "layer" and _same_layer(first, drawn[0]):
            name, stop = f"layer {first.layer}", stop + drawn.pop(0).size
        found.append((name, (start, stop)))
    return found


def _same_layer(one: Site, other: Site) -> bool:
    return one.layer is not None and one.layer == other.layer

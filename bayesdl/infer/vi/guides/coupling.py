"""Coupling flows: half of the coordinates say how the others are bent, by splines."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

from ._base import guide
from ._nets import net, start_net
from .flow import Flow
from .splines import spline, spline_inverse, spline_knots


@guide
@dataclass(frozen=True)
class Coupling(Flow):
    """Layers of monotone splines on one part of the coordinates, chosen by the other part.

    The two halves are dealt together like cards after each layer, so that any two coordinates meet.
    Both directions cost one pass.

    Parameters
    ----------
    layers : int
    hidden : int
        Width of each layer's network.
    bins : int
        Of each spline.
    edge : float
        Beyond ± edge sds of the noise a layer changes nothing.

    References
    ----------
    Durkan, Bekasov, Murray & Papamakarios (2019), Neural spline flows (arXiv:1906.04032).
    """

    name: ClassVar[str] = "coupling"

    layers: int = 4
    hidden: int = 32
    bins: int = 8
    edge: float = 5.0

    def layer_start(self, key: Any, dim: int, dtype: Any) -> Any:
        if dim < 2:
            raise ArgumentError(
                'guide="coupling" needs two unknowns at least: one part bends the other.',
                facts=[("unknowns", dim)],
                fix='write guide="mean_field".',
                where=user_source(),
                code="A108",
            )
        moved = dim // 2
        return start_net(key, dim - moved, self.hidden, moved * (3 * self.bins - 1), dtype)

    def forward(self, params: Any, x: Any) -> tuple[Any, Any]:
        half = (x.shape[0] + 1) // 2
        found, log_slope = self._bent(params, x[:half], x[half:], spline)
        return bnp.take(bnp.concatenate([found, x[:half]]), _dealt(x.shape[0]), axis=0), log_slope

    def inverse(self, params: Any, y: Any) -> tuple[Any, Any]:
        moved = y.shape[0] // 2
        joined = bnp.take(y, np.argsort(_dealt(y.shape[0])), axis=0)
        still = joined[moved:]
        found, log_slope = self._bent(params, still, joined[:moved], spline_inverse)
        return bnp.concatenate([still, found]), log_slope

    def _bent(self, params: Any, still: Any, moved: Any, function: Any) -> tuple[Any, Any]:
        raw = bnp.reshape(net(params, still), (moved.shape[0], 3 * self.bins - 1))
        knots = spline_knots(raw, self.bins, self.edge)
        found, log_slope = function(moved, knots, self.edge)
        return found, log_slope.sum()


def _dealt(dim: int) -> Any:
    """Places of the two parts, one from each in turn."""
    moved = dim // 2
    turn = np.concatenate([2.0 * np.arange(moved), 2.0 * np.arange(dim - moved) + 1.0])
    return np.argsort(turn)

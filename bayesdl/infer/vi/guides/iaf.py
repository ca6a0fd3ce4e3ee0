"""Inverse autoregressive flows: each coordinate is moved as those before it say."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import fori_loop

from ._base import guide
from ._nets import net, start_net
from .flow import Flow


@guide
@dataclass(frozen=True)
class InverseAutoregressive(Flow):
    """Layers x_i ← x_i · exp(s_i) + m_i, where s_i and m_i depend on the x_j with j < i.

    A masked network gives all s and m at once, so a draw costs one pass a layer; the density at
    another position costs dim passes. The order of the coordinates is turned round between layers.

    Parameters
    ----------
    layers : int
    hidden : int
        Width of each layer's network.

    References
    ----------
    Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling (2016), Improving variational inference
    with inverse autoregressive flow (arXiv:1606.04934); Germain, Gregor, Murray & Larochelle
    (2015), MADE, section 3 (arXiv:1502.03509).
    """

    name: ClassVar[str] = "iaf"

    layers: int = 2
    hidden: int = 32

    def layer_start(self, key: Any, dim: int, dtype: Any) -> Any:
        return start_net(key, dim, self.hidden, 2 * dim, dtype)

    def forward(self, params: Any, x: Any) -> tuple[Any, Any]:
        log_scale, shift = self._moves(params, x)
        return (x * bnp.exp(log_scale) + shift)[::-1], log_scale.sum()

    def inverse(self, params: Any, y: Any) -> tuple[Any, Any]:
        y = y[::-1]

        def settle(_: Any, x: Any) -> Any:
            log_scale, shift = self._moves(params, x)
            return (y - shift) * bnp.exp(-log_scale)

        # Each pass makes one more coordinate right, the first at once.
        x = fori_loop(0, y.shape[0], settle, y)
        return x, self._moves(params, x)[0].sum()

    def _moves(self, params: Any, x: Any) -> tuple[Any, Any]:
        dim = x.shape[0]
        inputs = np.arange(dim)
        hidden = np.arange(self.hidden) % max(dim - 1, 1)
        inner = (inputs[:, None] <= hidden).astype(x.dtype)
        outer = (hidden[:, None] < np.tile(inputs, 2)).astype(x.dtype)
        both = net(params, x, inner, outer)
        # Scales between e⁻² and e²: one step of the optimiser cannot throw draws out of reach.
        return 2.0 * bnp.tanh(0.5 * both[:dim]), both[dim:]

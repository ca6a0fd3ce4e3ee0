"""Recurrent layers: one step for each time, by a scan."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.model.statements import units
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import scan

from ._base import Example, Layer, Prior, layer, of_biases, unit_normal, weight
from .priors import fan_in_normal


@dataclass(frozen=True)
class _Recurrent(Layer):
    """What both recurrent layers share.

    Inputs have shape (rows, time, features), outputs (rows, time, fan_out). Dropout uses one mask
    of the inputs and one of the state for all times of a row [1]_.

    References
    ----------
    .. [1] Gal & Ghahramani (2016), A theoretically grounded application of dropout in recurrent
       neural networks, section 4.2 (arXiv:1512.05287).
    """

    fan_out: int
    name: str = "recurrent"
    prior: Prior = fan_in_normal()
    bias_prior: Prior = unit_normal

    def _prepared(self, x: Any, gates: int) -> tuple[Any, Any, Any]:
        """What the inputs add to the gates, the state's weights, and the mask of the state."""
        rows, _, fan_in = x.shape
        out, both = gates * self.fan_out, fan_in + self.fan_out
        w = weight(f"{self.name}.weight", self.prior, both, (fan_in, out), "weight", self.name)
        u = weight(
            f"{self.name}.recurrent", self.prior, both, (self.fan_out, out), "weight", self.name
        )
        bias_prior = of_biases(self.bias_prior, self.prior)
        b = weight(f"{self.name}.bias", bias_prior, both, (out,), "bias", self.name)
        of_input = units(f"{self.name}.weight", bnp.ones((rows, 1, fan_in), x.dtype))
        of_state = units(f"{self.name}.recurrent", bnp.ones((rows, self.fan_out), x.dtype))
        return bnp.matmul(x * of_input, w) + b, u, of_state

    def _run(self, x: Any, step: Any, states: int) -> Any:
        """Outputs of `step(states, inputs) -> states`, whose first state is the output."""
        start = tuple(bnp.zeros((x.shape[0], self.fan_out), x.dtype) for _ in range(states))

        def each(carry: Any, now: Any) -> tuple[Any, Any]:
            carry = step(carry, now)
            return carry, carry[0]

        return bnp.swapaxes(scan(each, start, bnp.swapaxes(x, 0, 1))[1], 0, 1)


@layer
@dataclass(frozen=True)
class GRU(_Recurrent):
    """Gated recurrent unit.

        z, r = sigmoid(x Wz + h Uz + bz), sigmoid(x Wr + h Ur + br)
        h ← (1 − z) · tanh(x Wn + r · (h Un) + bn) + z · h

    Sites: ``{name}.weight`` (features, 3 fan_out), ``{name}.recurrent`` (fan_out, 3 fan_out) and
    ``{name}.bias`` (3 fan_out,), gates in the order z, r, n.

    Parameters
    ----------
    fan_out : int
        Size of the state.
    name : str, default "recurrent"
    prior, bias_prior : Distribution, callable from fan_in to one, or None

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder–decoder (arXiv:1406.1078),
    with the reset gate behind the product, as cuDNN computes it.
    """

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"fan_out": 2},
            (4, 3, 5),
            (4, 3, 2),
            {"weight": (5, 6), "recurrent": (2, 6), "bias": (6,)},
        ),
    )

    def __call__(self, x: Any) -> Any:
        x, n = bnp.asarray(x), self.fan_out
        entering, u, of_state = self._prepared(x, 3)

        def step(carry: Any, now: Any) -> Any:
            (h,) = carry
            past = bnp.matmul(h * of_state, u)
            z = bnp.sigmoid(now[:, :n] + past[:, :n])
            r = bnp.sigmoid(now[:, n : 2 * n] + past[:, n : 2 * n])
            new = bnp.tanh(now[:, 2 * n :] + r * past[:, 2 * n :])
            return ((1.0 - z) * new + z * h,)

        return self._run(entering, step, 1)


@layer
@dataclass(frozen=True)
class LSTM(_Recurrent):
    """Long short-term memory.

        i, f, o = sigmoid(x W + h U + b), one each;  g = tanh(x Wg + h Ug + bg)
        c ← f · c + i · g;   h ← o · tanh(c)

    Sites: ``{name}.weight`` (features, 4 fan_out), ``{name}.recurrent`` (fan_out, 4 fan_out) and
    ``{name}.bias`` (4 fan_out,), gates in the order i, f, g, o.

    Parameters
    ----------
    fan_out : int
        Size of the state.
    name : str, default "recurrent"
    prior, bias_prior : Distribution, callable from fan_in to one, or None

    References
    ----------
    Hochreiter & Schmidhuber (1997), Long short-term memory; Gers, Schmidhuber & Cummins (2000),
    Learning to forget, for the gate f.
    """

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"fan_out": 2},
            (4, 3, 5),
            (4, 3, 2),
            {"weight": (5, 8), "recurrent": (2, 8), "bias": (8,)},
        ),
    )

    def __call__(self, x: Any) -> Any:
        x, n = bnp.asarray(x), self.fan_out
        entering, u, of_state = self._prepared(x, 4)

        def step(carry: Any, now: Any) -> Any:
            h, c = carry
            gates = now + bnp.matmul(h * of_state, u)
            i, f = bnp.sigmoid(gates[:, :n]), bnp.sigmoid(gates[:, n : 2 * n])
            g, o = bnp.tanh(gates[:, 2 * n : 3 * n]), bnp.sigmoid(gates[:, 3 * n :])
            c = f * c + i * g
            return o * bnp.tanh(c), c

        return self._run(entering, step, 2)

"""The nets that `bayesdl bench training` trains: their shapes, data and first weights for all.

Needs NumPy alone, so that the interpreter of any competitor can load it. Weights are flat, layer by
layer, each followed by its biases; kernels are (channels, height, width, channels out).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

BATCH, RATE, LEARNING_RATE, FIRST_SD = 128, 0.1, 1e-3, 0.1
METHODS = ("plain", "mc_dropout", "mean_field", "ensemble", "passes")
MEMBERS = 5
# Stochastic passes: as many as the protocol of the UCI sets asks for, rows of each, and passes that
# one call of compiled code makes of the smallest net, and of the largest.
PASSES, PASS_ROWS, MOST_AT_ONCE, LEAST_AT_ONCE = 10_000, 500, 256, 8
SEED = 20262


@dataclass(frozen=True)
class Net:
    """One net and the data that it is trained on.

    Parameters
    ----------
    title : str
        For tables.
    rows : int
    inputs : tuple of int
        Shape of one row.
    layers : tuple of tuples
        Shape of the weights of each layer: two entries for a dense one, four for a convolution,
        after whose rectifier follows a max pool of size 2.
    """

    title: str
    rows: int
    inputs: tuple[int, ...]
    layers: tuple[tuple[int, ...], ...]

    @property
    def classes(self) -> int:
        """Outputs; one output is the mean of a normal with standard deviation 1."""
        return self.layers[-1][-1]

    def shapes(self) -> list[tuple[int, ...]]:
        """Of all arrays of weights and biases in their order."""
        return [shape for layer in self.layers for shape in (layer, (layer[-1],))]

    def parts(self, flat: Any) -> list[Any]:
        """The arrays in a flat position."""
        found, at = [], 0
        for shape in self.shapes():
            size = math.prod(shape)
            found.append(flat[at : at + size].reshape(shape))
            at += size
        return found

    def precision(self) -> Any:
        """Of the normal prior of each weight: the fan-in; of each bias: 1."""
        each = [
            np.full(math.prod(shape), math.prod(shape[:-1]) if len(shape) > 1 else 1.0)
            for shape in self.shapes()
        ]
        return np.concatenate(each)

    def start(self) -> Any:
        """First weights: normal with a variance of one over the fan-in."""
        precision = self.precision()
        noise = np.random.default_rng(SEED).standard_normal(precision.size)
        return noise / np.sqrt(precision)

    def at_once(self) -> int:
        """Passes of one call of compiled code: it makes all of them, whoever asks for fewer."""
        small, own = (sum(map(math.prod, net.shapes())) for net in (NETS["yacht"], self))
        few = MOST_AT_ONCE * small // own
        return max(LEAST_AT_ONCE, min(MOST_AT_ONCE, few))

    def for_passes(self, dtype: Any) -> tuple[Any, Any]:
        """Inputs and targets of `PASS_ROWS` rows: the first ones, again from the first on."""
        chosen = np.arange(PASS_ROWS) % self.rows
        x, y = self.data(dtype)
        return x[chosen], y[chosen]

    def data(self, dtype: Any) -> tuple[Any, Any]:
        """Inputs and targets: labels of a random linear map, or its value."""
        rng = np.random.default_rng(SEED + 1)
        x = rng.standard_normal((self.rows, *self.inputs))
        map_ = rng.standard_normal((math.prod(self.inputs), self.classes))
        scores = x.reshape(self.rows, -1) @ map_
        y = scores.argmax(1) if self.classes > 1 else scores[:, 0].astype(dtype)
        return x.astype(dtype), y


NETS = {
    "yacht": Net("6-50-1", 277, (6,), ((6, 50), (50, 1))),
    "small": Net("64-200-200-10", 1797, (64,), ((64, 200), (200, 200), (200, 10))),
    "large": Net("784-400-400-10", 10_000, (784,), ((784, 400), (400, 400), (400, 10))),
    "conv": Net("8×8 conv 16, 32", 1797, (8, 8, 1), ((1, 3, 3, 16), (16, 3, 3, 32), (128, 10))),
}

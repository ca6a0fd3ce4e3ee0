"""A network's weights in one line a layer: one weight says nothing, and a thousand say less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass

from . import convergence

Arrays = Mapping[str, np.ndarray[Any, Any]]
# R-hat and ESS of more weights than these, evenly spread, would take longer than they tell.
LOOKED_AT = 200


@dataclass(frozen=True)
class LayerLine:
    """Weights and biases of a layer.

    Parameters
    ----------
    name : str
    count : int
        Of weights and biases.
    size, sd : float
        Mean absolute value over draws and weights, and the median over weights of the posterior sd.
    rhat_low, rhat_high, ess_low, ess_high : float
        Ranges over at most `LOOKED_AT` of them.
    """

    name: str
    count: int
    size: float
    sd: float
    rhat_low: float
    rhat_high: float
    ess_low: float
    ess_high: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.count} weights, mean |w| {self.size:.3g}, sd {self.sd:.3g}, "
            f"R-hat {self.rhat_low:.2f} to {self.rhat_high:.2f}, "
            f"ESS {self.ess_low:.0f} to {self.ess_high:.0f}"
        )

    def data(self) -> dict[str, Any]:
        """All but the name, for a file."""
        return {key: value for key, value in asdict(self).items() if key != "name"}


def layers(values: Arrays, weights: tuple[str, ...]) -> tuple[LayerLine, ...]:
    """One line a layer, in the order of the sites; sites of a layer share the name before the dot.

    Parameters
    ----------
    values : mapping of site name to array, shape (chain, draw, *shape)
    weights : tuple of str
        The sites that belong to layers.
    """
    groups: dict[str, list[np.ndarray[Any, Any]]] = {}
    for name in weights:
        draws = np.asarray(values[name])
        groups.setdefault(name.rpartition(".")[0] or name, []).append(
            draws.reshape(*draws.shape[:2], -1)
        )
    return tuple(_line(name, np.concatenate(parts, axis=2)) for name, parts in groups.items())


def _line(name: str, draws: np.ndarray[Any, Any]) -> LayerLine:
    count = draws.shape[2]
    some = draws[:, :, np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(int))]
    rhat, ess = convergence.rhat(some), convergence.ess_bulk(some)
    return LayerLine(
        name,
        count,
        float(np.abs(draws).mean()),
        float(np.median(draws.std(axis=(0, 1)))),
        *(_extreme(values, extreme) for values in (rhat, ess) for extreme in (np.min, np.max)),
    )


def _extreme(values: Any, extreme: Any) -> float:
    """NaN where no weight has a value, without a warning."""
    finite = values[np.isfinite(values)]
    return float(extreme(finite)) if finite.size else float("nan")

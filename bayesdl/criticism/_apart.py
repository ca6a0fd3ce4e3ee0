"""What sets divergent draws apart: the elements whose values tell them from the others, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass

from .summary import element_names

Arrays = Mapping[str, np.ndarray[Any, Any]]
# Both are asked for: many divergences make any difference significant, few make any look large.
LEAST_Z = 4.0
LEAST_EFFECT = 0.3
SHOWN = 3


@dataclass(frozen=True)
class Apart:
    """One element of a site in which divergent draws differ from the others.

    Parameters
    ----------
    name : str
        Such as ``tau`` or ``theta[3]``.
    how : {"low", "high", "far out", "near its middle"}
        Where divergent draws concentrate.
    effect : float
        Between 0, alike, and 1, no overlap.
    divergent, others : float
        Medians of the values; of their distances from the middle, if these are what differs.
    """

    name: str
    how: str
    effect: float
    divergent: float
    others: float

    def __str__(self) -> str:
        what = "median" if self.how in ("low", "high") else "median distance from the middle"
        return (
            f"{self.name} is {self.how}: {what} {self.divergent:.3g}, {self.others:.3g} elsewhere"
        )


def apart(values: Arrays, diverging: np.ndarray[Any, Any]) -> tuple[Apart, ...]:
    """The elements that differ most, at most `SHOWN` of them.

    Ranks among all draws are compared: their mean, as Mann and Whitney do, and the mean of their
    distances from the middle rank, after Ansari and Bradley. Neither minds units or outliers.

    Parameters
    ----------
    values : mapping of site name to array, shape (chain, draw, *shape)
    diverging : array of bool, shape (chain, draw)

    References
    ----------
    Mann & Whitney (1947), Annals of Mathematical Statistics 18; Ansari & Bradley (1960), ibid. 31.
    """
    chosen = np.ravel(diverging).astype(bool)
    count, total = int(chosen.sum()), chosen.size
    if count < 2 or count == total:
        return ()
    found: list[Apart] = []
    for name, draws in values.items():
        flat = np.reshape(draws, (total, -1))
        shift, stretch = _effects(flat, chosen)
        names = element_names(name, np.shape(draws)[2:])
        for label, x, a, b in zip(names, flat.T, shift, stretch, strict=True):
            if max(abs(a), abs(b)) >= LEAST_EFFECT and np.ptp(x) > 0.0:
                found.append(_described(label, x, chosen, float(a), float(b)))
    return tuple(sorted(found, key=lambda one: -one.effect)[:SHOWN])


def _effects(flat: np.ndarray[Any, Any], chosen: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Of location and of spread, in [-1, 1] by element; 0 where it may be chance."""
    count, total = int(chosen.sum()), chosen.size
    ranks = np.argsort(np.argsort(flat, axis=0), axis=0)[chosen]
    centred = (2.0 * ranks - total + 1.0) / total
    # A mean of ranks out of `total`, uniform on (-1, 1) or (0, 1): sds by sampling without return.
    chance = np.sqrt((1.0 - count / total) / (3.0 * count))
    raw = np.stack([centred.mean(axis=0), 2.0 * np.abs(centred).mean(axis=0) - 1.0])
    effects = np.clip(raw * total / (total - count), -1.0, 1.0)
    shift, stretch = np.where(np.abs(raw) > LEAST_Z * chance, effects, 0.0)
    return shift, stretch


def _described(
    label: str,
    x: np.ndarray[Any, Any],
    chosen: np.ndarray[Any, Any],
    shift: float,
    stretch: float,
) -> Apart:
    if abs(shift) >= abs(stretch):
        how, effect = ("high" if shift > 0.0 else "low"), abs(shift)
    else:
        how, effect = ("far out" if stretch > 0.0 else "near its middle"), abs(stretch)
        x = np.abs(x - np.median(x))
    return Apart(label, how, effect, float(np.median(x[chosen])), float(np.median(x[~chosen])))

"""What every measure asks of its arrays, said once, in the house's words."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayesdl._base.errors import ArgumentError, DtypeError, ShapeError
from bayesdl._base.source import user_source

Floats = NDArray[np.float64]


def real_array(name: str, values: ArrayLike) -> Floats:
    """The values as float64; refuses what is not real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise DtypeError(
            f"`{name}` must hold real numbers.",
            facts=[(name, str(array.dtype), f"shape {array.shape}")],
            fix=f"convert it first, np.asarray({name}, dtype=float).",
            where=user_source(),
            code="K102",
        )
    return array.astype(np.float64, copy=False)


def no_nan(name: str, values: Floats) -> None:
    """Refuse NaN, with a count and the first place; infinities may pass."""
    _none_bad(name, "NaN", np.isnan(values))


def all_finite(name: str, values: Floats) -> None:
    """Refuse NaN and infinities, with a count and the first place."""
    _none_bad(name, "NaN or infinite", ~np.isfinite(values))


def _none_bad(name: str, what: str, bad: NDArray[np.bool_]) -> None:
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ArgumentError(
            f"`{name}` holds values that are {what}, so no score can be given.",
            facts=[("how many", f"{int(bad.sum())} of {bad.size}"), ("first at", f"index {first}")],
            fix="look at the run that made them, or score the finite rows alone.",
            where=user_source(),
            code="K103",
        )


def probability(name: str, value: float) -> float:
    """A number strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ArgumentError(
            f"`{name}` must lie strictly between 0 and 1.",
            facts=[(name, value)],
            fix=f"for 90 %, {name}=0.9.",
            where=user_source(),
            code="K104",
        )
    return float(value)


def predictions(y: ArrayLike, draws: ArrayLike, *, least: int = 1) -> tuple[Floats, Floats]:
    """Observed values (rows, ...) and predictive draws (sample, rows, ...), never broadcast."""
    observed, drawn = real_array("y", y), real_array("draws", draws)
    if drawn.ndim < 2 or drawn.shape[1:] != observed.shape or observed.size == 0:
        raise ShapeError(
            "the predictions do not belong to these observed values.",
            facts=[("y", f"shape {observed.shape}"), ("draws", f"shape {drawn.shape}")],
            note="`draws` needs the shape (sample, *y.shape), with at least one row.",
            fix="flatten chains first, draws.reshape(-1, *y.shape).",
            where=user_source(),
            code="K101",
        )
    if len(drawn) < least:
        raise ArgumentError(
            f"this score needs at least {least} predictive draws.",
            facts=[("draws", f"shape {drawn.shape}")],
            fix="predict with more draws.",
            where=user_source(),
            code="K105",
        )
    all_finite("y", observed)
    all_finite("draws", drawn)
    return observed, drawn

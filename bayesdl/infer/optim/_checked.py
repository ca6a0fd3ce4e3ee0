"""Settings of optimisers, held against their range when a record of them is made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source


def is_number(value: Any, whole: bool = False) -> bool:
    """Whether a value is a finite real number; a whole one if asked for. True is none."""
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def in_range(
    record: Any,
    name: str,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
    whole: bool = False,
) -> None:
    """Refuse a field that is no number from `low` to `high`.

    Parameters
    ----------
    record : dataclass
    name : str
        Of the field.
    low, high : float
    above, below : bool
        Whether `low`, or `high`, is itself excluded.
    whole : bool
        Whether the number must be whole.

    Raises
    ------
    ArgumentError
    """
    value = getattr(record, name)
    if is_number(value, whole):
        over = value > low if above else value >= low
        under = value < high if below else value <= high
        if over and under:
            return
    kind = type(record).__name__
    needed = "a whole number" if whole else "a finite number"
    if math.isfinite(low):
        needed += f" {'above' if above else 'from'} {low:g}"
    if math.isfinite(high):
        needed += f", {'below' if below else 'up to'} {high:g}"
    raise ArgumentError(
        f"{kind} cannot have this {name}.",
        facts=[("given", repr(value)), ("needed", needed)],
        fix=f"leave {name} out of {kind}(…), or give one in this range.",
        where=user_source(),
        code="A108",
    )

"""What is refused when a distribution is made from numbers that are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.constraints import Constraint
from bayesdl.ir.builder import Handle

_FIXES = {
    "(0, ∞)": "give a positive number; of a quantity on the line, take exp or softplus first.",
    "[0, ∞)": "give a number that is not negative.",
    "[0, 1]": "give a probability from 0 to 1, or pass logits=... in place of probs.",
    "(−∞, ∞)": "give finite numbers; look for NaN in what the parameter was computed from.",
    "the simplex": "give numbers that are not negative and sum to 1, or pass logits=....",
    "symmetric positive definite matrices": "add a small number to the diagonal, or pass "
    "scale_tril=....",
}


def in_range(owner: Any, name: str, value: Any, constraint: Constraint) -> None:
    """Refuse a known parameter that lies outside its range; arrays in flight are not looked at.

    Raises
    ------
    ShapeError
        If the parameter has too few axes.
    ArgumentError
        With the first offending value and how many there are.
    """
    if np.ndim(value) < constraint.event_ndim:
        raise ShapeError(
            f"the parameter {name!r} of {type(owner).__name__} has too few axes.",
            facts=[(name, np.shape(value)), ("axes of one value", constraint.event_ndim)],
            where=user_source(),
            code="D105",
        )
    if isinstance(value, Handle):
        return
    with np.errstate(all="ignore"):
        bad = ~np.asarray(constraint.contains(value))
    if not bad.any():
        return
    where = np.unravel_index(int(np.argmax(bad)), bad.shape)
    label = f"{name}{list(map(int, where))}" if where else name
    facts = [(label, printed(np.asarray(value)[where])), ("must lie in", constraint.name)]
    if bad.size > 1:
        facts.append(("outside", f"{int(bad.sum())} of {bad.size}"))
    raise ArgumentError(
        f"{type(owner).__name__} got a parameter {name!r} outside its range.",
        facts=facts,
        fix=_FIXES.get(constraint.name),
        where=user_source(),
        code="D101",
    )


def one_given(owner: Any) -> None:
    """Refuse none or two of parameters that say the same thing."""
    given = [name for name in owner.choice_of if getattr(owner, name) is not None]
    if owner.choice_of and len(given) != 1:
        raise ArgumentError(
            f"{type(owner).__name__} takes exactly one of {', '.join(owner.choice_of)}.",
            facts=[("given", ", ".join(given) or "none")],
            fix=f"{type(owner).__name__}({owner.choice_of[-1]}=...)",
            where=user_source(),
            code="D103",
        )


def printed(value: Any) -> str:
    """A parameter in short: numbers as they are, arrays by their type."""
    if isinstance(value, Handle):
        return repr(value)
    if isinstance(value, np.ndarray | np.generic):
        return f"{float(value):g}" if value.ndim == 0 else f"array{value.shape}"
    return repr(value)

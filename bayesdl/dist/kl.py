"""Kullback–Leibler divergences in closed form, found by the pair of classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from bayesdl._base.errors import ClosedFormError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

from ._base import DISTRIBUTIONS, Distribution

Formula = TypeVar("Formula", bound=Callable[[Any, Any], Any])
PAIRS: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


def kl(first: type, second: type) -> Callable[[Formula], Formula]:
    """Enter the formula of a pair; it stands in the file of the first."""

    def enter(formula: Formula) -> Formula:
        if (first, second) in PAIRS:
            raise ValueError(
                f"the divergence of {first.__name__} from {second.__name__} is declared twice"
            )
        PAIRS[first, second] = formula
        return formula

    return enter


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """KL(p ‖ q) = E_p log p(X) / q(X), in nats.

    Parameters
    ----------
    p, q : Distribution

    Returns
    -------
    Array, shape: the common batch shape

    Raises
    ------
    ClosedFormError
        If the pair has no formula here.

    Examples
    --------
    >>> from bayesdl import dist
    >>> float(kl_divergence(dist.Normal(1.0, 1.0), dist.Normal(0.0, 1.0)))
    0.5
    """
    formula = PAIRS.get((type(p), type(q)))
    if formula is None:
        # With all distributions their formulas are there, to be listed.
        tuple(DISTRIBUTIONS)
        raise ClosedFormError(
            f"the divergence of {type(p).__name__} from {type(q).__name__} has no formula here.",
            facts=[("pairs", ", ".join(sorted(f"{a.__name__} ‖ {b.__name__}" for a, b in PAIRS)))],
            fix="average p.log_prob(x) - q.log_prob(x) over draws x of p.",
            where=user_source(),
            code="D102",
        )
    strong = [d for d in (p._strong_dtype(), q._strong_dtype()) if d is not None]
    dtype = np.result_type(*strong) if strong else bnp.default_dtype()
    found = formula(p._in(dtype), q._in(dtype))
    return bnp.broadcast_to(found, bnp.broadcast_shape(p.batch_shape, q.batch_shape))

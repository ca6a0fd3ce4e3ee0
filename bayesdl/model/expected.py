"""What a distribution says of an observation that is not made yet: mean, variance, classes."""

from __future__ import annotations

from typing import Any

from bayesdl.dist import Bernoulli, Categorical, Distribution, Independent
from bayesdl.dist.bernoulli import failure, success
from bayesdl.dist.categorical import classes, weights
from bayesdl.ops import numpy as bnp

MEAN, VARIANCE, PROBS = "/mean", "/variance", "/probs"
"""What follows the name of a site in its parts; names of sites have no slash."""


def mean_of(law: Distribution) -> Any:
    """The mean of an observation; of a class, that of its indicators, hence the probabilities."""
    return probs_of(law) if isinstance(_element(law), Categorical) else law.mean


def parts_of(name: str, law: Distribution) -> dict[str, Any]:
    """Mean and variance of an observation of a site, and the probabilities of classes.

    A categorical distribution has no mean beside these: the number of a class is only a name.

    Raises
    ------
    ClosedFormError
        If the distribution has no formula for them.
    """
    element = _element(law)
    if isinstance(element, Categorical):
        probs = probs_of(law)
        return {f"{name}{PROBS}": probs, f"{name}{VARIANCE}": probs * (1.0 - probs)}
    found = {f"{name}{MEAN}": law.mean, f"{name}{VARIANCE}": law.variance}
    if isinstance(element, Bernoulli):
        found[f"{name}{PROBS}"] = probs_of(law)
    return found


def probs_of(law: Distribution) -> Any:
    """Probabilities of the classes along a last axis; a Bernoulli distribution has two."""
    element = _element(law)
    own = element._in(element._dtype)
    if isinstance(element, Bernoulli):
        both = [bnp.broadcast_to(p, element.batch_shape) for p in (failure(own), success(own))]
        return bnp.stack(both, -1)
    return bnp.broadcast_to(weights(own), (*element.batch_shape, classes(own)))


def _element(law: Distribution) -> Distribution:
    """The distribution of the single elements of an event."""
    while isinstance(law, Independent):
        law = law.base
    return law

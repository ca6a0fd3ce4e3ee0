"""The gradient of a guide of the user's own by scores, the score of each row with its own terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import tree_map
from bayesdl.model.dependence import by_plates, downstream
from bayesdl.ops import numpy as bnp
from bayesdl.transform.derived import vjp, vmap

from .estimators import Estimate
from .guides import ModelGuide
from .joint import joint_of, law_of, on_types, sums_of


@dataclass(frozen=True)
class Scored:
    """One unknown that has no path, and what its scores are weighted with.

    Parameters
    ----------
    name : str
    plates : tuple of str
        Each of their rows has a score, and a weight, of its own.
    shape : tuple of int
        Sizes of the plates.
    below : tuple of str
        Statements that the draw moves.
    """

    name: str
    plates: tuple[str, ...]
    shape: tuple[int, ...]
    below: tuple[str, ...]


def scored_of(guide: ModelGuide) -> tuple[Scored, ...]:
    """The unknowns whose gradient is that of a score: discrete ones, or all where none is."""
    target, own = guide.both
    names = guide.discrete or [n for n in own.sites.latent if n in target.sites.latent]
    with on_types(guide, names) as (joint, values, builder):
        laws = {name: law_of(name) for name in names}
        found = downstream(values, laws, joint.statements, builder, joint.in_sums)
        sizes = {n: {p.name: p.length for p in joint.laws[n].plates} for n in names}
    return tuple(
        Scored(n, found[n].plates, tuple(sizes[n][p] for p in found[n].plates), found[n].statements)
        for n in names
    )


def first_baseline(guide: ModelGuide, dtype: Any) -> dict[str, Any]:
    """Zeros for each weight of `estimate_by_scores`."""
    return {s.name: bnp.zeros(s.shape, dtype) for s in scored_of(guide.part or guide)}


def estimate_by_scores(
    guide: ModelGuide, params: Any, keys: Any, prior: Any, baseline: Mapping[str, Any]
) -> Estimate:
    """The ELBO and its gradient: along paths where there are, and of scores for all else.

        Σ_rows ∂ log q(z_row) · (what z_row moves of log w − its baseline)

    What stands before a draw, or beside it in other rows of a plate, has no part in the mean of its
    score times log w, and is left out.

    Parameters
    ----------
    guide : ModelGuide
    params : container of arrays
    keys : Array of uint32, shape (K, 2)
    prior : Array, shape ()
        What log prior − log guide is multiplied with.
    baseline : dict of str to Array
        Of each row's weight, for a single sample; with several it is the mean of the others.

    References
    ----------
    Ranganath, Gerrish & Blei (2014), Black box variational inference, section 3.1
    (arXiv:1401.0118), for the Rao–Blackwellised weights; Schulman, Heess, Weber & Abbeel (2015),
    Gradient estimation using stochastic computation graphs (arXiv:1506.05254); Kool, van Hoof &
    Welling (2019), Buy 4 REINFORCE samples, get a baseline for free (ICLR workshop); Mnih & Gregor
    (2014), Neural variational inference, section 2.3 (arXiv:1402.0030), for the running mean.
    """
    scored = scored_of(guide)
    names = [s.name for s in scored]
    groups = guide.both[0].sites.groups

    def one(key: Any, p: Any) -> tuple[Any, Any, Any, Any]:
        joint = joint_of(guide, p, key, names)
        gains, sums = joint.gains(prior), sums_of(guide, p, key, joint)
        # The mean of a score is zero, so the slope of log q by the parameters is left out.
        gains |= {law_of(n): bnp.stop_gradient(gains[law_of(n)]) for n in names}
        weights, scores = {}, {}
        for s in scored:
            moved = list(joint.by_plates(gains, dict.fromkeys(s.below, s.plates)).values())
            moved += [t for t, g in zip(sums, groups, strict=True) if g.members.keys() & s.below]
            weights[s.name] = bnp.stop_gradient(sum(moved[1:], moved[0]))
            law = joint.laws[s.name]
            scores[s.name] = by_plates(law, law.law.log_prob_inside(law.value), s.plates)
        log_weight = sum(sums, joint.total(gains))
        density = sum(sums, joint.total(joint.densities()))
        return log_weight, density, weights, scores

    def objective(p: Any) -> tuple[Any, Any]:
        log_weights, densities, weights, scores = vmap(one, (0, None))(keys, p)
        centred = {n: _centred(w, baseline, n) for n, w in weights.items()}
        of_scores = (bnp.sum(centred[n] * scores[n]) / keys.shape[0] for n in names)
        bound = log_weights.mean()
        means = {n: w.mean(axis=0) for n, w in weights.items()}
        return sum(of_scores, bound), (bound, densities.mean(), means)

    with bnp.using_dtype(guide.both[0].dtype):
        (value, found), pull = vjp(objective, params)
    zeros = tree_map(bnp.zeros_like, found)
    (gradient,) = pull((bnp.ones((), value.dtype), zeros))
    bound, density, means = found
    weights = _common(means, scored, guide) if keys.shape[0] == 1 else None
    return Estimate(density, bound, gradient, weights)


def _centred(weights: Any, baseline: Mapping[str, Any], name: str) -> Any:
    """Weights of shape (K, *rows) less what does not depend on their own draw."""
    count = np.shape(weights)[0]
    less = baseline[name] if count == 1 else (weights.sum(axis=0) - weights) / (count - 1)
    return bnp.stop_gradient(weights - less)


def _common(means: dict[str, Any], scored: tuple[Scored, ...], guide: ModelGuide) -> dict[str, Any]:
    """What baselines are made of: in minibatches other rows stand in the place of these next."""
    if not guide.weights:
        return means
    return {s.name: bnp.full_like(means[s.name], means[s.name].mean()) for s in scored}

"""The gradient of a guide of the user's own with its discrete unknowns summed over, row by row."""

from __future__ import annotations

from typing import Any

from bayesdl.model.dependence import by_plates
from bayesdl.model.grouping import groups_of
from bayesdl.model.summed import Group, summed
from bayesdl.ops import numpy as bnp
from bayesdl.transform.derived import vjp, vmap

from .estimators import Estimate
from .guides import ModelGuide
from .joint import joint_of, on_types


def enumerated(guide: ModelGuide) -> tuple[Group, ...]:
    """The discrete unknowns of a guide, those that meet in the guide or in the model together.

    Raises
    ------
    SiteError
        If one has infinitely many values; if the values that meet have too many combinations; or
        if rows of a plate are not shown to stay apart (`model.grouping.groups_of`).
    """
    with on_types(guide, guide.discrete) as (joint, values, builder):
        laws = joint.laws_at(values)
        unknowns = {name: summed(law) for name, law in laws.items()}
        return groups_of(unknowns, joint.statements, builder, laws)


def estimate_by_enumeration(guide: ModelGuide, params: Any, keys: Any, prior: Any) -> Estimate:
    """The ELBO and its gradient: exact in the discrete unknowns, along paths in all others.

        E_ε Σ_z q(z) [log p(x(z, ε), z, data) − log q(x(z, ε), z)]

    The sum goes over the values of each row of a plate by itself, and over all combinations of
    values that meet in one row. Draws of the others share their noise ε between the combinations.

    Parameters
    ----------
    guide : ModelGuide
    params : container of arrays
    keys : Array of uint32, shape (K, 2)
    prior : Array, shape ()
        What log prior − log guide is multiplied with.

    References
    ----------
    Titsias & Lázaro-Gredilla (2015), Local expectation gradients for black box variational
    inference (NIPS), for exact sums over single unknowns; Kingma et al. (2014), Semi-supervised
    learning with deep generative models, section 3.1 (arXiv:1406.5298), over the classes of a row.
    """
    groups = enumerated(guide)
    first = {n: v for group in groups for n, v in group.values(0).items()}
    apart = {name for group in groups for name in group.members}

    def of_group(group: Group, key: Any, p: Any) -> tuple[Any, Any]:
        def at(values: Any, p: Any, key: Any, data: Any) -> tuple[Any, Any, Any]:
            joint = joint_of(guide.given(data), p, key, (), {**first, **values})
            gains = joint.by_plates(joint.gains(prior), group.members)
            densities = joint.by_plates(joint.densities(), group.members)
            shares = {}
            for u in group.unknowns:
                # All of it, whatever a mask or a scale make of its part in log w.
                law = joint.laws[u.name]
                shares[u.name] = by_plates(law, law.law.log_prob(law.value), u.plates)
            return gains, densities, shares

        gains, densities, shares = group.each(at, (p, key, tuple(guide.data)))
        return group.mean(gains, shares), group.mean(densities, shares)

    def one(key: Any, p: Any) -> tuple[Any, Any]:
        joint = joint_of(guide, p, key, (), first)
        gains = joint.total(joint.gains(prior), apart)
        densities = joint.total(joint.densities(), apart)
        for group in groups:
            gain, density = of_group(group, key, p)
            gains, densities = gains + gain, densities + density
        return gains, densities

    def objective(p: Any) -> tuple[Any, Any]:
        bounds, densities = vmap(one, (0, None))(keys, p)
        return bounds.mean(), densities.mean()

    with bnp.using_dtype(guide.both[0].dtype):
        (bound, density), pull = vjp(objective, params)
    (gradient,) = pull((bnp.ones((), bound.dtype), bnp.zeros((), density.dtype)))
    return Estimate(density, bound, gradient)

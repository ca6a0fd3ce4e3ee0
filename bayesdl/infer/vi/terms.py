"""The bound of a user's own guide by statements: of each row by itself, or with divergences."""

from __future__ import annotations

from typing import Any

from bayesdl._base.errors import ClosedFormError
from bayesdl.dist import Distribution
from bayesdl.dist.kl import kl_divergence
from bayesdl.model.dependence import by_plates, scaled_terms
from bayesdl.model.handlers import Statement
from bayesdl.ops import numpy as bnp
from bayesdl.transform.derived import vjp, vmap

from .estimators import Estimate
from .guides import ModelGuide
from .guides.model import OfGuide
from .objectives import Renyi


def plate_of_rows(guide: ModelGuide) -> str | None:
    """The plate that all unknowns which a guide draws stand in, with observations; None if none.

    Each of its rows then has a bound of its own. What stands outside are points.
    """
    target, own = guide.both
    if target.minibatched or target.sites.groups:
        return None
    observed = [s.plates for s in target.sites.values() if s.observed and s.plates]
    rows = observed[0][0][0] if observed else None
    sites = [s for d in guide.drawn for s in (d, own.sites[d.name])]
    inside = all(any(name == rows for name, _ in site.plates) for site in sites)
    return rows if guide.drawn and inside else None


def log_weights(
    guide: ModelGuide, params: Any, key: Any, plate: str | None, prior: Any, closed: bool
) -> tuple[Any, Any, Any]:
    """log w of one draw in each row of a plate, unscaled; the rest of it; and the log density.

    The last two are scaled to all rows.

    Parameters
    ----------
    guide : ModelGuide
    params : container of arrays
    key : Array of uint32, shape (2,)
    plate : str or None
        None to have all of it in the rest.
    prior : Array, shape ()
        What log prior − log guide is multiplied with.
    closed : bool
        Whether the divergence of guide from prior stands for its estimate where there is a formula.
    """
    drawn, model = guide.run(params, key)
    rows: Any = 0.0
    rest = prior * model.log_det_of_points
    density = model.log_det_of_points + model.log_det
    for name, statement in model.statements.items():
        if statement.kind == "deterministic":
            continue
        weight = guide.weights.get(name, 1.0)
        density = density + weight * statement.log_density()
        gain = _gain(statement, drawn, closed)
        if not statement.observed and statement.kind == "sample":
            gain = prior * gain
        if plate is not None and any(p.name == plate for p in statement.plates):
            rows = rows + by_plates(statement, gain, (plate,))
        else:
            rest = rest + weight * bnp.sum(gain)
    return rows, rest, density


def _gain(statement: Statement, drawn: OfGuide, closed: bool) -> Any:
    """What a statement adds to log w, of its batch shape."""
    own = drawn.statements.get(statement.name)
    if own is None:
        return scaled_terms(statement)
    divergence = divergence_of(own.law, statement) if closed else None
    if divergence is not None:
        return -_scaled(statement, divergence)
    return scaled_terms(statement) - scaled_terms(own)


def divergence_of(law: Distribution, prior: Statement) -> Any:
    """KL(law ‖ prior) of the batch shape; None without a formula, or where elements are masked."""
    if prior.mask is not None:
        return None
    try:
        return kl_divergence(law, prior.law)
    except ClosedFormError:
        return None


def _scaled(statement: Statement, terms: Any) -> Any:
    return terms if statement.scale is None else statement.scale * terms


def estimate_by_terms(
    objective: Renyi, guide: ModelGuide, params: Any, keys: Any, prior: Any, closed: bool
) -> Estimate:
    """A bound and its gradient by all parameters, differentiated as it is written.

        Σ_rows R_α(w_1, …, w_K of the row) + the rest

    Parameters
    ----------
    objective : Renyi
    guide : ModelGuide
    params : container of arrays
    keys : Array of uint32, shape (K, 2)
    prior : Array, shape ()
    closed : bool

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, equation 8
    (arXiv:1509.00519); Kingma & Welling (2014), Auto-encoding variational Bayes, appendix B
    (arXiv:1312.6114), for divergences in closed form.
    """
    plate = plate_of_rows(guide) if objective.alpha != 1.0 else None

    def bounds(params: Any) -> tuple[Any, Any]:
        rows, rest, density = vmap(
            lambda key, p: log_weights(guide, p, key, plate, prior, closed), (0, None)
        )(keys, params)
        total = rest.mean()
        if plate is not None:
            total = total + weight * objective.bound(rows).sum()
        return total, density.mean()

    weight = max(guide.weights.values(), default=1.0)
    (bound, density), pull = vjp(bounds, params)
    (gradient,) = pull((bnp.ones((), bound.dtype), bnp.zeros((), density.dtype)))
    return Estimate(density, bound, gradient)

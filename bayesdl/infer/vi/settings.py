"""The settings of variational inference as users write them, names and all, made into records."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bayesdl.infer.named import check_kinds, check_numbers, choice, with_records, wrong
from bayesdl.infer.optim._base import Optimiser
from bayesdl.infer.optim.lbfgs import LBFGS
from bayesdl.infer.optim.optimisers import OPTIMISERS
from bayesdl.infer.optim.rates import RATES, Rate

from .estimators import ESTIMATORS
from .guides import GUIDES, BesidePoints, Delta, Guide, MeanField, ModelGuide
from .objectives import OBJECTIVES, Renyi

WHO = "variational inference"
NAMED: dict[str, Mapping[str, Any]] = {
    "guide": {name: kind for kind in GUIDES.values() for name in (kind.name, *kind.other_names)},
    "optimiser": {**OPTIMISERS, "lbfgs": LBFGS},
    "schedule": RATES,
    "objective": {name: lambda alpha=alpha: Renyi(alpha) for name, alpha in OBJECTIVES.items()},
}
KINDS = {"optimiser": (Optimiser, LBFGS), "schedule": Rate, "objective": Renyi}
ABOVE_ZERO = ("learning_rate", "init_sd", "clip_norm", "clip_ratio")
OF_STEPS = (
    "objective",
    "estimator",
    "learning_rate",
    "schedule",
    "samples",
    "batch_size",
    "kl_warmup",
    "clip_norm",
    "clip_ratio",
    "init_sd",
)
"""Settings of stochastic steps."""
WHOLE = {"samples": 1, "batch_size": 1, "kl_warmup": 0}


def read_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with records in place of names.

    Parameters
    ----------
    settings : mapping of str to value
        As given to ``fit(method="vi", …)``.

    Raises
    ------
    ArgumentError
        If a name is unknown, a number is out of range, or estimator and objective do not go
        together.

    Examples
    --------
    >>> read_settings({"objective": "elbo", "schedule": "cosine"})
    {'objective': Renyi(alpha=1.0), 'schedule': Cosine(last=0.0)}
    """
    check_numbers(WHO, settings, ABOVE_ZERO, WHOLE)
    found: dict[str, Any] = with_records(WHO, settings, NAMED)
    check_kinds(WHO, found, KINDS)
    if "guide" in found:
        found["guide"] = _as_guide(found["guide"])
    _check_climb(found)
    _check_estimator(found)
    if isinstance(found.get("guide"), Delta):
        found.setdefault("samples", 1)
    return found


def _as_guide(given: Any) -> Guide:
    if isinstance(given, Guide):
        return given
    if callable(given) and not isinstance(given, type):
        return ModelGuide(given)
    fix = f"write {given.__name__}()." if isinstance(given, type) else "use one of them."
    raise _wrong("guide", given, f"{', '.join(GUIDES)}, a Guide, or a model function", fix)


def _check_estimator(found: dict[str, Any]) -> None:
    """Refuse an estimator that is biased here; where none is given, take one that is not."""
    name, objective = found.get("estimator"), found.get("objective", Renyi())
    guide = found.get("guide", MeanField())
    if name is None:
        if objective.alpha != 1.0 and ESTIMATORS[guide.estimator].elbo_only:
            found["estimator"] = "doubly_reparametrised"
        return
    estimator = choice(WHO, "estimator", name, ESTIMATORS)
    fits = type(guide) is MeanField or (name == "closed_form_kl" and type(guide) is ModelGuide)
    if estimator.local and not fits:
        fix = 'write guide="mean_field", or leave the estimator out.'
        raise _wrong("estimator for this guide", name, "for other guides all but this one", fix)
    if estimator.elbo_only and objective.alpha != 1.0:
        known = ", ".join(n for n, e in ESTIMATORS.items() if not e.elbo_only)
        raise _wrong("estimator for this objective", name, known, "leave the estimator out.")


def _check_climb(found: Mapping[str, Any]) -> None:
    """L-BFGS climbs what is the same at each step."""
    if not isinstance(found.get("optimiser"), LBFGS):
        return
    if not isinstance(found.get("guide"), Delta):
        given = getattr(found.get("guide", MeanField()), "name", "") or "a function"
        raise _wrong(
            'guide for optimiser="lbfgs"', given, "map", 'write guide="map", or optimiser="adam".'
        )
    for name in OF_STEPS:
        if found.get(name) is not None:
            raise _wrong(
                'setting for optimiser="lbfgs"',
                f"{name}={found[name]!r}",
                "none but guide: all rows count, without noise, and no rate is chosen",
                f"leave {name} out.",
            )


def estimator_of_points(guide: Guide, estimator: str, alpha: float, given: bool) -> str:
    """The estimator, where it has a gradient by points as well: they have no path.

    Parameters
    ----------
    guide : Guide
        Fitted to its model.
    estimator : str
        Empty for the guide's own.
    alpha : float
        Of the objective.
    given : bool
        Whether the user named it. One that has no such gradient, or the wrong one, is refused then;
        else the plain one takes its place.
    """
    doubled = estimator == "doubly_reparametrised" and alpha != 1.0
    if not isinstance(guide, BesidePoints) or not (doubled or estimator == "score_function"):
        return estimator
    if given:
        known = "where parameters have no prior: reparametrised"
        raise _wrong("estimator for this model", estimator, known, 'write "reparametrised".')
    return "reparametrised"


def check_own(guide: ModelGuide, estimator: str, alpha: float, by_row: bool) -> None:
    """Refuse estimators that do not go with what a guide of the user's own draws.

    Parameters
    ----------
    guide : ModelGuide
        Fitted to its model.
    estimator : str
        As given; empty for the guide's own.
    alpha : float
        Of the objective.
    by_row : bool
        Whether each row has a bound of its own.
    """
    known, fix = "", "leave the estimator out."
    of_discrete = estimator in ("", "score_function", "enumeration") and alpha == 1.0
    if guide.discrete and not of_discrete:
        known, fix = (
            'score_function or enumeration, objective="elbo"',
            'leave both out: "score_function" is taken.',
        )
    elif by_row and estimator not in ("", "reparametrised"):
        known = "for bounds of rows: reparametrised"
    elif estimator in ("closed_form_kl", "enumeration") and guide.both[0].sites.groups:
        known = "where the model sums over discrete unknowns: reparametrised, score_function"
    elif alpha != 1.0 and estimator == "doubly_reparametrised" and guide.points:
        known = "where unknowns are points: reparametrised"
    if known:
        raise _wrong("estimator for this guide", estimator or guide.estimator, known, fix)


def check_rows(guide: Guide, alpha: float, by_row: bool, minibatched: bool) -> None:
    """Refuse bounds that a part of the rows does not estimate.

    The bound is a concave function of the mean weight of all rows together: its mean over
    minibatches lies elsewhere, and bounds nothing. The ELBO is linear in the rows; so is the sum of
    bounds that each row has of its own.

    Parameters
    ----------
    guide : Guide
        Fitted to its model.
    alpha : float
        Of the objective.
    by_row : bool
        Whether each row has a bound of its own.
    minibatched : bool
        Whether gradients are made from a part of the rows.
    """
    if alpha == 1.0 or by_row or not minibatched:
        return
    asked = guide.family if isinstance(guide, BesidePoints) else guide
    raise _wrong(
        "objective for minibatches",
        f"Renyi(alpha={alpha:g}) with guide {asked.name or 'of your own'!r}",
        "elbo; others where all that a guide of your own draws is in the plate of the rows",
        'write objective="elbo", or leave batch_size out.',
    )


_wrong = partial(wrong, WHO)

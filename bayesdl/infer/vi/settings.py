"""The settings of variational inference as users write them, names and all, made into records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl.infer.optim.optimisers import OPTIMISERS
from bayesdl.infer.optim.rates import RATES

from .estimators import ESTIMATORS
from .guides import GUIDES, BesidePoints, Delta, Guide, MeanField, ModelGuide
from .objectives import OBJECTIVES, Renyi

NAMED: dict[str, Mapping[str, Any]] = {
    "guide": GUIDES,
    "optimiser": OPTIMISERS,
    "schedule": RATES,
    "objective": {name: lambda alpha=alpha: Renyi(alpha) for name, alpha in OBJECTIVES.items()},
}
ABOVE_ZERO = ("learning_rate", "init_sd", "clip_norm", "clip_ratio")
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
    for name in ABOVE_ZERO:
        given = settings.get(name)
        if given is not None and not given > 0:
            raise _wrong(name, given, "a number above 0", f"leave {name} out.")
    for name, least in WHOLE.items():
        given = settings.get(name)
        if given is not None and not (isinstance(given, int | np.integer) and given >= least):
            raise _wrong(name, given, f"whole numbers from {least} on", f"leave {name} out.")
    found = dict(settings)
    for name, known in NAMED.items():
        if isinstance(settings.get(name), str):
            found[name] = _named(name, settings[name], known)()
    if "guide" in found:
        found["guide"] = _as_guide(found["guide"])
    _check_estimator(found)
    if isinstance(found.get("guide"), Delta):
        found.setdefault("samples", 1)
    return found


def _named(what: str, given: str, known: Mapping[str, Any]) -> Any:
    if given in known:
        return known[given]
    guess = did_you_mean(given, known)
    fix = f"did you mean {guess!r}?" if guess else "use one of them."
    raise _wrong(what, given, ", ".join(known), fix)


def _as_guide(given: Any) -> Guide:
    if isinstance(given, Guide):
        return given
    if callable(given) and not isinstance(given, type):
        return ModelGuide(given)
    fix = f"write {given.__name__}()." if isinstance(given, type) else "use one of them."
    raise _wrong("guide", given, f"{', '.join(GUIDES)}, a Guide, or a model function", fix)


def _check_estimator(found: Mapping[str, Any]) -> None:
    name, objective = found.get("estimator"), found.get("objective", Renyi())
    if name is not None:
        _named("estimator", name, ESTIMATORS)
    guide = found.get("guide", MeanField())
    fits = type(guide) is MeanField or (name == "closed_form_kl" and type(guide) is ModelGuide)
    if name and ESTIMATORS[name].local and not fits:
        fix = 'write guide="mean_field", or leave the estimator out.'
        raise _wrong("estimator for this guide", name, "for other guides all but this one", fix)
    own = found["guide"].estimator if "guide" in found else "sticking_the_landing"
    if ESTIMATORS[name or own].elbo_only and objective.alpha != 1.0:
        raise _wrong(
            "estimator",
            name or f"{own} (the guide's own)",
            ", ".join(n for n, e in ESTIMATORS.items() if not e.elbo_only),
            'for this objective write estimator="doubly_reparametrised".',
        )


def check_points(guide: Guide, estimator: str, alpha: float) -> None:
    """Refuse estimators that have no gradient by a point, or the wrong one: it has no path."""
    doubled = estimator == "doubly_reparametrised" and alpha != 1.0
    if isinstance(guide, BesidePoints) and (doubled or estimator == "score_function"):
        known = "where parameters have no prior: reparametrised"
        raise _wrong("estimator for this model", estimator, known, 'write "reparametrised".')


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


def _wrong(what: str, given: Any, known: str, fix: str) -> ArgumentError:
    return ArgumentError(
        f"variational inference has no such {what}.",
        facts=[("given", given), ("known", known)],
        fix=fix,
        where=user_source(),
        code="A108",
    )

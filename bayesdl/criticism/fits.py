"""fit and load: the two ways to a Posterior."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np

from bayesdl import export
from bayesdl._base.errors import ArgumentError, RunError
from bayesdl._base.source import user_source, warn_user
from bayesdl.export import storage
from bayesdl.export.functions import FittedOnly, Functions, LawFunctions, ModelFunctions
from bayesdl.infer import fit as inference
from bayesdl.infer.account import Fitted
from bayesdl.infer.draws import Draws, Moment
from bayesdl.infer.handle import Handle
from bayesdl.infer.keep import GROUPS, MOMENTS, PREDICTIVE
from bayesdl.infer.progress import say
from bayesdl.infer.store import Opened, opened
from bayesdl.model import as_model

from .posterior import Arrays, Posterior

P = ParamSpec("P")


def _posterior(run: Callable[P, Fitted]) -> Callable[P, Posterior]:
    """The same function, with its arguments and its documentation, that gives a Posterior."""

    @wraps(run)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Posterior:
        try:
            fitted: Any = run(*args, **kwargs)
        except RunError as error:
            raise _with_posterior(error) from error.__cause__
        if isinstance(fitted, Handle):
            handle: Any = fitted.then(_of_fitted, _with_posterior)
            return handle  # type: ignore[no-any-return]
        return _of_fitted(fitted)

    return wrapped


def _with_posterior(error: RunError) -> RunError:
    if isinstance(error.posterior, Fitted):
        error.posterior = _of_fitted(error.posterior)
    return error


def _of_fitted(fitted: Fitted) -> Posterior:
    density, sites = fitted.density, fitted.density.sites
    kept = fitted.kept
    latent = kept.latent
    weights = [name for name in kept.types if name in sites and sites[name].role]
    attrs = {**fitted.draws.attrs, "weights": weights}
    functions: Functions | None = None
    if kept.laws is not None and not kept.moments:
        functions = FittedOnly(LawFunctions(density.model.name, kept.laws), dict(sites.data))
        attrs["keep"] = PREDICTIVE
    elif len(latent) < len(sites.latent):
        attrs["not_kept"] = [name for name in sites.latent if name not in latent]
    else:
        given = density.arguments.given
        functions = ModelFunctions(density.model, density.dtype, given, density.ambient)
    draws = replace(fitted.draws, attrs=attrs)
    found = Posterior(
        draws,
        functions,
        latent=latent,
        dims={name: site.dims for name, site in sites.items()},
        coords=sites.coords,
        observed=dict(sites.data),
        data=dict(zip(density.arguments.labels, density.data, strict=True)),
        reference=storage.model_reference(density.model.function),
        learned=fitted.learned,
    )
    # A run that was stopped in its warm-up has none to judge.
    judged = _judged(found, fitted.shown) if draws.count else found
    if fitted.store is not None:
        _complete(judged, fitted.store)
    return judged


def _complete(posterior: Posterior, store: Path) -> None:
    try:
        posterior.complete(store)
    except OSError as error:
        failed = RunError(
            "the draws are on disk, but what belongs to them could not be written there.",
            facts=[("cause", f"{type(error).__name__}: {error}"), ("store", store)],
            fix="save this error's `posterior` elsewhere; load(folder, model=...) has the draws.",
            where=user_source(),
            code="S120",
        )
        failed.posterior = posterior
        raise failed from error


def _judged(posterior: Posterior, shown: bool) -> Posterior:
    """The same with its verdict among the attributes, and said: a block or a line."""
    verdict = posterior.verdict()
    if verdict.fine:
        say(verdict.line(), shown=shown)
    else:
        say(f"{posterior} needs attention:\n{verdict}", logging.WARNING, shown=shown)
    attrs = {**posterior.draws.attrs, **verdict.attrs()}
    posterior.draws = replace(posterior.draws, attrs=attrs)
    return posterior


fit = _posterior(inference.fit)


def load(path: Any, model: Any = None, guide: Any = None) -> Posterior:
    """Bring a saved posterior back.

    Parameters
    ----------
    path : str or path
    model : Model or callable, optional
        What predicts, in the place of what the file holds.
    guide : callable, optional
        The function of a guide of one's own, for ``posterior.guide``; with its model.

    Returns
    -------
    Posterior

    Raises
    ------
    ArgumentError
        If there is no such file, or bayesdl did not write it; or a guide is given to a file that
        has no parameters of one, or without its model.
    """
    found = opened(path) if Path(path).is_dir() else None
    if found is not None and found.unfinished is not None:
        return _unfinished(found, found.unfinished, model)
    saved = storage.load(path)
    tree, kept = saved.tree, saved.record
    data = {label: np.asarray(tree[g][name].values) for label, (g, name) in kept["data"].items()}
    if found is None:
        values, stats = _arrays(tree, "posterior"), _arrays(tree, "sample_stats")
    else:
        values, stats = found.values, found.stats
    warmup, stats_then = (_arrays(tree, f"warmup_{g}") for g in GROUPS)
    draws = Draws(values, stats, export.attributes(tree), warmup, stats_then, _moments(tree))
    reference = str(tree.attrs.get("model", ""))
    functions: Functions | None
    if "not_kept" in draws.attrs:
        functions = None
    elif draws.attrs.get("keep") == PREDICTIVE:
        functions = FittedOnly(
            export.from_record(kept["model"], saved.arrays, data), _arrays(tree, "observed_data")
        )
    elif model is None and kept["model"]:
        functions = export.from_record(kept["model"], saved.arrays, data)
    else:
        source = model if model is not None else storage.find_model(reference)
        functions = _from_source(source, draws, kept["latent"], data)
    return Posterior(
        draws,
        functions,
        latent=kept["latent"],
        dims=kept["dims"],
        coords=storage.labels(tree),
        observed=_arrays(tree, "observed_data"),
        data=data,
        reference=reference,
        learned=_guide(kept.get("guide"), saved.arrays, model, guide),
    )


def _guide(record: Any, arrays: Sequence[Any], model: Any, guide: Any) -> Any:
    """The guide of a file, if it has one, with its functions if they are given."""
    saved = None if record is None else export.guide_of_record(record, arrays)
    if guide is None:
        return saved
    if saved is None or model is None:
        held = "no" if saved is None else ", ".join(saved.params["own"])
        raise ArgumentError(
            "this file does not go with a guide." if saved is None else "a guide needs its model.",
            facts=[("parameters in the file", held), ("model", "none" if model is None else model)],
            fix="leave `guide` out." if saved is None else "pass both, model= and guide=.",
            where=user_source(),
            code="A108",
        )
    return saved.of(guide, model)


def _unfinished(found: Opened, about: Mapping[str, Any], model: Any) -> Posterior:
    """What a process left that was killed while it drew."""
    draws = Draws(found.values, found.stats, {"unfinished": True})
    warn_user(
        f"the run in this folder did not end: {draws.count} draws each of {draws.chains} of its "
        f"{found.begun} chains are whole, and are what there is. Predictions need the model and "
        "its arguments."
    )
    return Posterior(
        draws,
        _from_source(model, draws, about["latent"], {}),
        latent=about["latent"],
        dims=about["dims"],
        coords={},
        observed={},
        data={},
        reference=about["model"],
    )


def _from_source(
    model: Any, draws: Draws, latent: Sequence[str], data: Arrays
) -> ModelFunctions | None:
    if model is None:
        return None
    known = as_model(model)
    fitted = {name: data[name] for name in known.argument_names if name in data}
    return ModelFunctions(known, draws.values[latent[0]].dtype, ((), fitted))


def _moments(tree: Any) -> dict[str, Moment]:
    found: dict[str, dict[str, Any]] = {}
    for label, array in _arrays(tree, MOMENTS).items():
        name, _, word = label.rpartition(".")
        found.setdefault(name, {})[word] = array
    return {name: Moment(**parts) for name, parts in found.items()}


def _arrays(tree: Any, group: str) -> Arrays:
    if group not in tree.children:
        return {}
    return {str(name): np.asarray(v.values) for name, v in tree[group].data_vars.items()}

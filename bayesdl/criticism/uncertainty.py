"""Uncertainty of predictions in two parts: what more data would take away, and what stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.model.expected import MEAN, PROBS, VARIANCE
from bayesdl.ops import numpy as bnp

from ._checks import Floats, no_nan, real_array

ENTROPY = "/entropy"
OneDraw = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Uncertainty:
    """Of each prediction; ``total = aleatoric + epistemic``.

    Parameters
    ----------
    mean : array
        Of the predictions; of classes their mean probabilities, along a last axis.
    total : array
        Variance of a prediction, or entropy of the mean probabilities in nats.
    aleatoric : array
        Mean over draws of the noise's variance, or of the entropy: what stays.
    epistemic : array
        Variance over draws of the mean, or mutual information of prediction and parameters.
    dims : tuple of str
        Names of the axes of `total`.
    """

    mean: Floats
    total: Floats
    aleatoric: Floats
    epistemic: Floats
    dims: tuple[str, ...] = ()

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` of the four; probabilities have a last axis ``class``."""
        dims = self.dims or tuple(f"dim_{i}" for i in range(np.ndim(self.total)))
        classes = ("class",) * (np.ndim(self.mean) - np.ndim(self.total))
        arrays = {
            "mean": ((*dims, *classes), self.mean),
            "total": (dims, self.total),
            "aleatoric": (dims, self.aleatoric),
            "epistemic": (dims, self.epistemic),
        }
        return import_module("xarray").Dataset(arrays)


def decompose_variance(mean: ArrayLike, variance: ArrayLike) -> Uncertainty:
    """The variance of predictions in its two parts.

    Parameters
    ----------
    mean : array, shape (sample, rows)
        Of each draw's prediction.
    variance : array, broadcasts to (sample, rows)
        Of the noise under each draw.

    Raises
    ------
    ShapeError
        If `mean` has not two axes.

    References
    ----------
    Depeweg, Hernández-Lobato, Doshi-Velez & Udluft (2018), Decomposition of uncertainty in Bayesian
    deep learning, section 3 (arXiv:1710.07283).

    Examples
    --------
    >>> found = decompose_variance([[0.0], [2.0]], 0.5)
    >>> found.aleatoric.tolist(), found.epistemic.tolist(), found.total.tolist()
    ([0.5], [1.0], [1.5])
    """
    centre = _draws("mean", mean, 2)
    noise = np.broadcast_to(_draws("variance", variance, 0), centre.shape).mean(axis=0)
    spread = centre.var(axis=0)
    return Uncertainty(centre.mean(axis=0), noise + spread, noise, spread)


def decompose_entropy(probs: ArrayLike) -> Uncertainty:
    """The entropy of predictions in its two parts, nats.

    Parameters
    ----------
    probs : array, shape (sample, rows, classes)
        Probabilities under each draw.

    Raises
    ------
    ShapeError
        If `probs` has not three axes.

    References
    ----------
    Depeweg et al. (2018), as above; Houlsby, Huszár, Ghahramani & Lengyel (2011), Bayesian active
    learning for classification and preference learning (arXiv:1112.5745).

    Examples
    --------
    >>> found = decompose_entropy([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> found.aleatoric.tolist(), found.epistemic.round(4).tolist()
    ([0.0], [0.6931])
    """
    each = _draws("probs", probs, 3)
    mean, noise = each.mean(axis=0), _entropy(each).mean(axis=0)
    total = _entropy(mean)
    return Uncertainty(mean, total, noise, total - noise)


def averaged(parts: OneDraw) -> OneDraw:
    """A function of one draw whose means and variances over draws are all that is needed.

    Parameters
    ----------
    parts : callable
        Gives what `parts_of` tells of each site.
    """

    def one(draw: Any, *data: Any) -> dict[str, Any]:
        found = parts(draw, *data)
        classes = {name.removesuffix(PROBS) for name in found if name.endswith(PROBS)}
        kept = {n: v for n, v in found.items() if n.rpartition("/")[0] not in classes}
        for site in sorted(classes):
            # float64, so that the difference of two entropies of float32 nets is not rounding.
            probs = bnp.astype(found[f"{site}{PROBS}"], np.float64)
            logs = bnp.log(bnp.where(probs > 0.0, probs, 1.0))
            kept.update({f"{site}{PROBS}": probs, f"{site}{ENTROPY}": -bnp.sum(probs * logs, -1)})
        return kept

    return one


def of_averages(
    sites: Iterable[str],
    means: Mapping[str, Floats],
    variances: Mapping[str, Floats],
    dims: Mapping[str, Sequence[str | None]],
) -> dict[str, Uncertainty]:
    """By site, from means and variances over draws of what `averaged` gives."""
    found = {}
    for site in sites:
        if f"{site}{PROBS}" in means:
            mean, noise = means[f"{site}{PROBS}"], means[f"{site}{ENTROPY}"]
            total = _entropy(mean)
            rest = total - noise
        elif f"{site}{MEAN}" in means:
            mean, noise = means[f"{site}{MEAN}"], means[f"{site}{VARIANCE}"]
            rest = variances[f"{site}{MEAN}"]
            total = noise + rest
        else:
            continue
        names = _axis_names(site, noise.ndim, dims.get(site, ()))
        found[site] = Uncertainty(mean, total, noise, rest, names)
    return found


def selected(parts: OneDraw, suffix: str) -> OneDraw:
    """A function of one draw that gives one of the parts of each site that has it."""

    def one(draw: Any, *data: Any) -> dict[str, Any]:
        found = parts(draw, *data)
        kept = {n.removesuffix(suffix): v for n, v in found.items() if n.endswith(suffix)}
        if not kept:
            raise ArgumentError(
                "no observed site has classes, so there are no probabilities to predict.",
                facts=[("sites", ", ".join(dict.fromkeys(n.rpartition("/")[0] for n in found)))],
                fix='use kind="mean", or uncertainty() for mean and variance.',
                where=user_source(),
                code="M119",
            )
        return kept

    return one


def _axis_names(site: str, rank: int, dims: Sequence[str | None]) -> tuple[str, ...]:
    known = list(dims)[len(dims) - min(rank, len(dims)) :]
    names = [*[None] * (rank - len(known)), *known]
    return tuple(name or f"{site}_dim_{i}" for i, name in enumerate(names))


def _entropy(probs: Floats) -> Floats:
    logs = np.log(np.where(probs > 0.0, probs, 1.0))
    return np.asarray(-(probs * logs).sum(axis=-1) + 0.0)


def _draws(name: str, values: ArrayLike, axes: int) -> Floats:
    array = real_array(name, values)
    no_nan(name, array)
    if axes and array.ndim != axes:
        raise ShapeError(
            f"{name} needs {axes} axes: draws, rows{', classes' if axes == 3 else ''}.",
            facts=[("given", array.shape)],
            fix=f"join chains and draws: {name}.reshape(-1, *{name}.shape[2:]).",
            where=user_source(),
            code="T101",
        )
    return array

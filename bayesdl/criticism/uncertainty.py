"""Uncertainty of predictions in two parts: what more data would take away, and what stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source

from ._checks import Floats, no_nan, real_array


@dataclass(frozen=True)
class Uncertainty:
    """Of each row; ``total = aleatoric + epistemic``.

    Parameters
    ----------
    total : array
        Variance of a prediction, or entropy of the mean probabilities in nats.
    aleatoric : array
        Mean over draws of the noise's variance, or of the entropy: what stays.
    epistemic : array
        Variance over draws of the mean, or mutual information of prediction and parameters.
    """

    total: Floats
    aleatoric: Floats
    epistemic: Floats


def of_regression(mean: ArrayLike, variance: ArrayLike) -> Uncertainty:
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
    >>> found = of_regression([[0.0], [2.0]], 0.5)
    >>> found.aleatoric.tolist(), found.epistemic.tolist(), found.total.tolist()
    ([0.5], [1.0], [1.5])
    """
    centre = _draws("mean", mean, 2)
    noise = np.broadcast_to(_draws("variance", variance, 0), centre.shape).mean(axis=0)
    spread = centre.var(axis=0)
    return Uncertainty(noise + spread, noise, spread)


def of_classes(probs: ArrayLike) -> Uncertainty:
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
    >>> found = of_classes([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> found.aleatoric.tolist(), found.epistemic.round(4).tolist()
    ([0.0], [0.6931])
    """
    each = _draws("probs", probs, 3)
    total, noise = _entropy(each.mean(axis=0)), _entropy(each).mean(axis=0)
    return Uncertainty(total, noise, total - noise)


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

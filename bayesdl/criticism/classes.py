"""Scores of predicted class probabilities: right or wrong, how sure, and rightly so or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source

from ._checks import Floats, no_nan, real_array

_SUM_TOLERANCE = 1e-4
"""Softmax in float32 over thousands of classes still sums to one within this."""


def accuracy(probs: ArrayLike, labels: ArrayLike) -> float:
    """Share of rows whose most probable class is the right one; the first of equals counts.

    Parameters
    ----------
    probs : array, shape (rows, classes) or (sample, rows, classes)
        Predicted probabilities; those of several draws are averaged.
    labels : integer array, shape (rows,)
        The right classes, counted from 0.

    Returns
    -------
    float
        In [0, 1]; large is good.

    Raises
    ------
    ShapeError
        If probs and labels do not fit together.
    ArgumentError
        If probs are not probabilities, or labels are not classes.

    Examples
    --------
    >>> accuracy([[0.9, 0.1], [0.4, 0.6]], [0, 0])
    0.5
    """
    mean, right = _checked(probs, labels)
    return float(np.mean(mean.argmax(axis=1) == right))


def nll(probs: ArrayLike, labels: ArrayLike) -> float:
    """Negative log predictive probability of the right class, per row.

    Parameters
    ----------
    probs : array, shape (rows, classes) or (sample, rows, classes)
        Predicted probabilities; those of several draws are averaged before the logarithm.
    labels : integer array, shape (rows,)
        The right classes, counted from 0.

    Returns
    -------
    float
        Nats per row; small is good. Infinity when the right class had probability zero.

    Raises
    ------
    ShapeError
        If probs and labels do not fit together.
    ArgumentError
        If probs are not probabilities, or labels are not classes.

    Examples
    --------
    >>> round(nll([[0.5, 0.5]], [1]), 6)
    0.693147
    """
    mean, right = _checked(probs, labels)
    with np.errstate(divide="ignore"):
        return float(-np.mean(np.log(mean[np.arange(len(right)), right])))


def brier(probs: ArrayLike, labels: ArrayLike) -> float:
    """Brier score: squared distance of predicted probabilities from the truth.

        mean_i Σ_c (p_ic − [c = label_i])²

    Parameters
    ----------
    probs : array, shape (rows, classes) or (sample, rows, classes)
        Predicted probabilities; those of several draws are averaged.
    labels : integer array, shape (rows,)
        The right classes, counted from 0.

    Returns
    -------
    float
        In [0, 2], small is good. With two classes it is twice the score of the one-probability
        form.

    Raises
    ------
    ShapeError
        If probs and labels do not fit together.
    ArgumentError
        If probs are not probabilities, or labels are not classes.

    References
    ----------
    Brier (1950), Verification of forecasts expressed in terms of probability, equation 2.

    Examples
    --------
    >>> brier([[0.5, 0.5]], [1])
    0.5
    """
    mean, right = _checked(probs, labels)
    error = mean.copy()
    error[np.arange(len(right)), right] -= 1.0
    return float(np.mean(np.sum(error**2, axis=1)))


def ece(probs: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error of the most probable class.

        Σ_b (n_b / n) |accuracy_b − confidence_b|

    Parameters
    ----------
    probs : array, shape (rows, classes) or (sample, rows, classes)
        Predicted probabilities; those of several draws are averaged.
    labels : integer array, shape (rows,)
        The right classes, counted from 0.
    bins : int
        Number of bins of equal width on (0, 1], closed at their upper end.

    Returns
    -------
    float
        In [0, 1]; small is good.

    Raises
    ------
    ShapeError
        If probs and labels do not fit together.
    ArgumentError
        If probs are not probabilities, labels are not classes, or bins is below 1.

    Notes
    -----
    It is biased upwards when bins hold few rows, and no proper score: read it beside `nll` or
    `brier`.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, section 2
    (arXiv:1706.04599).

    Examples
    --------
    >>> round(ece([[0.8, 0.2], [0.8, 0.2]], [0, 1]), 6)
    0.3
    """
    mean, right = _checked(probs, labels)
    if bins < 1:
        raise ArgumentError(
            "`bins` must be at least 1.",
            facts=[("bins", bins)],
            fix="leave it out for 15.",
            where=user_source(),
            code="K104",
        )
    confidence = mean.max(axis=1)
    gap = (mean.argmax(axis=1) == right) - confidence
    place = np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(place, weights=gap, minlength=bins)).sum() / len(right))


def _checked(probs: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    """Mean probabilities (rows, classes) and labels (rows,)."""
    values = real_array("probs", probs)
    right = np.asarray(labels)
    if values.ndim not in (2, 3) or values.size == 0 or right.shape != values.shape[-2:-1]:
        raise ShapeError(
            "the class probabilities do not belong to these labels.",
            facts=[("probs", f"shape {values.shape}"), ("labels", f"shape {right.shape}")],
            note="`probs` needs ([sample,] rows, classes), `labels` needs (rows,).",
            fix="for two classes, np.stack([1 - p, p], axis=-1).",
            where=user_source(),
            code="K101",
        )
    no_nan("probs", values)
    totals = values.sum(axis=-1)
    if values.min() < 0.0 or np.abs(totals - 1.0).max() > _SUM_TOLERANCE:
        raise ArgumentError(
            "`probs` are not probabilities.",
            facts=[
                ("smallest", f"{values.min():.4g}"),
                ("sums over classes", f"from {totals.min():.4g} to {totals.max():.4g}"),
            ],
            fix="apply softmax to logits first.",
            where=user_source(),
            code="K108",
        )
    classes = values.shape[-1]
    if right.dtype.kind not in "biu" or right.min() < 0 or right.max() >= classes:
        raise ArgumentError(
            "`labels` are not classes.",
            facts=[
                ("labels", f"{right.dtype}, from {right.min()} to {right.max()}"),
                ("classes", classes),
            ],
            fix=f"integers from 0 to {classes - 1}.",
            where=user_source(),
            code="K109",
        )
    return (values.mean(axis=0) if values.ndim == 3 else values), right.astype(np.intp)

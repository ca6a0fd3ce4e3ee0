"""Pictures of predictions with their uncertainty, one panel per method, legible to every eye."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source

from ._checks import Floats, all_finite, probability, real_array
from ._checks import predictions as checked_predictions
from .scores import central_interval, coverage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart under every common colour deficiency, and by shape as well.
_MEAN = "#00466e"
_WIDE = "#cfe4f3"
_NARROW = "#8fc1e3"
_INSIDE = "#333333"
_OUTSIDE = "#d55e00"

_PANELS_PER_ROW = 3
_INNER = 0.5


def plot_predictions(
    ax: Axes | Sequence[Axes] | None = None,
    *,
    y: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    prob: float = 0.9,
    order: ArrayLike | None = None,
) -> Figure:
    """Held-out rows against their predictive bands, one panel per method.

    Each panel shows the predictive mean, the central 50 % and the central prob band, and the
    observed values, with those outside the wide band marked; its title gives the share of rows
    inside.

    Parameters
    ----------
    ax : Axes or sequence of Axes, optional
        Where to draw, one per method; a new figure by default.
    y : array, shape (rows,)
        Observed values.
    predictions : mapping of str to array, shape (sample, rows)
        Predictive draws by method, noise included, in the unit of y.
    prob : float
        Probability inside the wide band; above 0.5.
    order : integer array, shape (rows,), optional
        Order of the rows along the axis, one for all panels. By default each panel sorts by its own
        predictive mean.

    Returns
    -------
    Figure
        Not shown yet; ``fig.savefig("predictions.png")`` writes it.

    Raises
    ------
    ShapeError
        If y is not one-dimensional or a method's draws do not have the shape (sample, rows).
    ArgumentError
        If there is no method, too few axes, an order that is no permutation, or prob is not between
        0.5 and 1.
    """
    observed = _one_dimensional("y", y)
    _wide_probability(prob)
    places = None if order is None else _permutation(order, len(observed))
    figure, panels = _panels(ax, len(predictions))
    for panel, (name, draws) in zip(panels, predictions.items(), strict=False):
        _, drawn = checked_predictions(observed, draws)
        rows = np.argsort(drawn.mean(axis=0), kind="stable") if places is None else places
        x = np.arange(len(rows), dtype=np.float64)
        _draw_bands(panel, x, drawn[:, rows], prob)
        _draw_points(panel, x, observed[rows], drawn[:, rows], prob)
        _title(
            panel,
            name,
            f"{100 * prob:g} % band holds {100 * coverage(observed, drawn, prob):.0f} %",
        )
        panel.set_xlim(-1.0, len(rows))
    label = "held-out rows, by predicted mean" if places is None else "held-out rows"
    _finish(figure, panels, label, "observed and predicted", own=ax is None)
    return figure


def plot_curve(
    x: ArrayLike,
    bands: Mapping[str, ArrayLike],
    *,
    observed: tuple[ArrayLike, ArrayLike] | None = None,
    prob: float = 0.9,
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Predictive bands along a one-dimensional input, one panel per method.

    Parameters
    ----------
    x : array, shape (points,)
        Inputs, in any order.
    bands : mapping of str to array, shape (sample, points)
        Predictive draws by method at those inputs.
    observed : pair of arrays, shapes (rows,) and (rows,), optional
        Inputs and outputs of the data, drawn as points.
    prob : float
        Probability inside the wide band; above 0.5.
    ax : Axes or sequence of Axes, optional
        Where to draw, one per method; a new figure by default.

    Returns
    -------
    Figure
        Not shown yet; ``fig.savefig("curve.png")`` writes it.

    Raises
    ------
    ShapeError
        If x is not one-dimensional, draws do not have the shape (sample, points), or the observed
        pair differs in length.
    ArgumentError
        If there is no method, too few axes, or prob is not between 0.5 and 1.
    """
    inputs = _one_dimensional("x", x)
    _wide_probability(prob)
    figure, panels = _panels(ax, len(bands))
    order = np.argsort(inputs, kind="stable")
    data = None if observed is None else _pair(*observed)
    for panel, (name, draws) in zip(panels, bands.items(), strict=False):
        # The inputs stand in for observed values: one per column of the draws.
        _, drawn = checked_predictions(inputs, draws)
        _draw_bands(panel, inputs[order], drawn[:, order], prob)
        if data is not None:
            (points,) = panel.plot(*data, "o", color=_INSIDE, label="observed", zorder=4)
            points.set(markersize=3.2, markeredgewidth=0.0)
        _title(panel, name, "")
        panel.margins(x=0.0)
    _finish(figure, panels, "x", "y", own=ax is None)
    return figure


def _draw_bands(panel: Axes, x: Floats, drawn: Floats, prob: float) -> None:
    for level, color, layer in ((prob, _WIDE, 1), (_INNER, _NARROW, 2)):
        low, high = central_interval(drawn, level)
        label = f"central {100 * level:g} %"
        panel.fill_between(x, low, high, color=color, linewidth=0, label=label, zorder=layer)
    panel.plot(x, drawn.mean(axis=0), color=_MEAN, linewidth=1.6, label="predicted mean", zorder=3)


def _draw_points(panel: Axes, x: Floats, y: Floats, drawn: Floats, prob: float) -> None:
    low, high = central_interval(drawn, prob)
    inside = (low <= y) & (y <= high)
    for where, marker, color, size, label in (
        (inside, "o", _INSIDE, 4.0, "observed"),
        (~inside, "D", _OUTSIDE, 5.0, "observed, outside"),
    ):
        (points,) = panel.plot(x[where], y[where], marker, color=color, label=label, zorder=4)
        points.set(markersize=size, markeredgecolor="white", markeredgewidth=0.4)


def _title(panel: Axes, name: str, verdict: str) -> None:
    panel.set_title(name, loc="left", fontsize=11, fontweight="bold")
    panel.set_title(verdict, loc="right", fontsize=9, color="#555555")


def _finish(
    figure: Figure, panels: Sequence[Axes], x_label: str, y_label: str, *, own: bool
) -> None:
    across = min(len(panels), _PANELS_PER_ROW) if own else 1
    for i, panel in enumerate(panels):
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color="#e6e6e6", linewidth=0.6)
        panel.set_axisbelow(True)
        lowest = not own or i >= len(panels) - across
        panel.tick_params(labelsize=9, labelbottom=lowest)
        panel.set_xlabel(x_label if lowest else "")
        panel.set_ylabel(y_label if i % across == 0 else "")
    handles, labels = panels[0].get_legend_handles_labels()
    if own:
        columns = len(labels) if across > 1 else 3
        figure.legend(
            handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
        )
    else:
        panels[0].legend(handles, labels, frameon=False, fontsize=8)


def _panels(ax: Axes | Sequence[Axes] | None, count: int) -> tuple[Figure, list[Axes]]:
    """A figure and one panel per method: the caller's, or new ones on common scales."""
    if count == 0:
        raise ArgumentError(
            "there is nothing to plot.",
            facts=[("methods", 0)],
            fix='pass {"nuts": draws of shape (sample, rows)}.',
            where=user_source(),
            code="K106",
        )
    if ax is None:
        return _new_panels(count)
    panels = list(ax) if isinstance(ax, (Sequence, np.ndarray)) else [ax]
    if len(panels) < count:
        raise ArgumentError(
            "there are fewer axes than methods.",
            facts=[("axes", len(panels)), ("methods", count)],
            fix="leave `ax` out, or pass one axes per method.",
            where=user_source(),
            code="K110",
        )
    figure = panels[0].get_figure(root=True)
    assert figure is not None
    return figure, panels[:count]


def _new_panels(count: int) -> tuple[Figure, list[Axes]]:
    # A bare Figure, not pyplot: nothing global is touched, so no window opens and threads may plot.
    from matplotlib.figure import Figure

    across = min(count, _PANELS_PER_ROW)
    down = math.ceil(count / across)
    figure = Figure(
        figsize=(max(6.0, 4.2 * across + 0.6), 3.3 * down + 0.5), layout="constrained", dpi=150
    )
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for spare in panels[count:]:
        spare.set_visible(False)
    return figure, panels[:count]


def _one_dimensional(name: str, values: ArrayLike) -> Floats:
    array = real_array(name, values)
    if array.ndim != 1:
        raise ShapeError(
            f"`{name}` must be one-dimensional to be plotted.",
            facts=[(name, f"shape {array.shape}")],
            fix=f"plot one output at a time, {name}[:, 0].",
            where=user_source(),
            code="K101",
        )
    all_finite(name, array)
    return array


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    inputs, outputs = _one_dimensional("observed x", x), _one_dimensional("observed y", y)
    if inputs.shape != outputs.shape:
        raise ShapeError(
            "`observed` must be two arrays of one length.",
            facts=[("x", f"shape {inputs.shape}"), ("y", f"shape {outputs.shape}")],
            where=user_source(),
            code="K101",
        )
    return inputs, outputs


def _permutation(order: ArrayLike, rows: int) -> NDArray[np.intp]:
    places = np.asarray(order)
    if places.shape != (rows,) or not np.array_equal(np.sort(places), np.arange(rows)):
        raise ArgumentError(
            "`order` must name every row once.",
            facts=[("order", f"shape {places.shape}"), ("rows", rows)],
            fix="np.argsort(x[:, 0]), for example.",
            where=user_source(),
            code="K111",
        )
    return places.astype(np.intp)


def _wide_probability(prob: float) -> None:
    if not probability("prob", prob) > _INNER:
        raise ArgumentError(
            "`prob` must lie above 0.5, the probability inside the narrow band.",
            facts=[("prob", prob)],
            fix="prob=0.9.",
            where=user_source(),
            code="K104",
        )

"""Plots hold what they say: points, bands, coverage in the title; and they touch nothing global."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl.criticism import coverage, plot_curve, plot_predictions

Figure = pytest.importorskip("matplotlib.figure").Figure

RNG = np.random.default_rng(3)
Y = RNG.normal(size=30)
PREDICTIONS = {name: Y + RNG.normal(size=(200, 30)) * s for name, s in (("nuts", 1.0), ("vi", 0.1))}
PREDICTIONS["vi"] = PREDICTIONS["vi"] + 0.15


def visible(figure):
    return [panel for panel in figure.axes if panel.get_visible()]


def points(panel, label):
    (line,) = [line for line in panel.lines if line.get_label() == label]
    return line.get_xydata()


def test_one_panel_per_method_with_its_coverage():
    panels = visible(plot_predictions(y=Y, predictions=PREDICTIONS))
    assert [panel.get_title("left") for panel in panels] == ["nuts", "vi"]
    for panel, draws in zip(panels, PREDICTIONS.values(), strict=True):
        assert f"holds {100 * coverage(Y, draws):.0f} %" in panel.get_title("right")


def test_every_observed_value_is_drawn_once_and_those_outside_apart():
    for panel, draws in zip(
        visible(plot_predictions(y=Y, predictions=PREDICTIONS)), PREDICTIONS.values(), strict=True
    ):
        inside, outside = points(panel, "observed"), points(panel, "observed, outside")
        assert len(inside) / 30 == pytest.approx(coverage(Y, draws))
        drawn = np.concatenate([inside, outside])
        order = np.argsort(draws.mean(axis=0))
        np.testing.assert_array_equal(drawn[np.argsort(drawn[:, 0]), 1], Y[order])


def test_rows_are_sorted_by_predicted_mean_or_as_told():
    (panel,) = visible(plot_predictions(y=Y, predictions={"nuts": PREDICTIONS["nuts"]}))
    assert (np.diff(points(panel, "predicted mean")[:, 1]) >= 0).all()
    order = np.arange(30)[::-1]
    (panel,) = visible(
        plot_predictions(y=Y, predictions={"nuts": PREDICTIONS["nuts"]}, order=order)
    )
    np.testing.assert_allclose(
        points(panel, "predicted mean")[:, 1], PREDICTIONS["nuts"].mean(axis=0)[order]
    )


def test_many_methods_fill_rows_of_panels():
    figure = plot_predictions(y=Y, predictions={str(i): PREDICTIONS["vi"] for i in range(4)})
    assert len(visible(figure)) == 4
    assert len(figure.axes) == 6


def test_curve_sorts_its_input():
    x = RNG.permutation(np.linspace(0.0, 1.0, 20))
    draws = x + RNG.normal(size=(50, 20)) * 0.1
    figure = plot_curve(x, {"gp": draws}, observed=([0.2, 0.4], [0.1, 0.5]))
    (panel,) = visible(figure)
    mean = points(panel, "predicted mean")
    np.testing.assert_array_equal(mean[:, 0], np.sort(x))
    np.testing.assert_allclose(mean[:, 1], draws.mean(axis=0)[np.argsort(x)])
    np.testing.assert_array_equal(points(panel, "observed"), [[0.2, 0.1], [0.4, 0.5]])


def test_draws_into_axes_of_the_caller():
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert plot_predictions(axes, y=Y, predictions=PREDICTIONS) is figure
    one = Figure()
    assert plot_curve(Y, {"nuts": PREDICTIONS["nuts"]}, ax=one.subplots()) is one


def test_saves_a_file(tmp_path):
    path = tmp_path / "predictions.png"
    plot_predictions(y=Y, predictions=PREDICTIONS).savefig(path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_importing_criticism_loads_no_plotting_and_no_tables():
    code = (
        "import sys, bayesdl.criticism; "
        "print([m for m in ('matplotlib', 'pandas', 'arviz', 'xarray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_refuses_what_it_cannot_plot():
    with pytest.raises(ArgumentError, match="nothing to plot"):
        plot_predictions(y=Y, predictions={})
    with pytest.raises(ShapeError, match="one-dimensional"):
        plot_predictions(y=Y[:, None], predictions=PREDICTIONS)
    with pytest.raises(ShapeError, match="do not belong"):
        plot_predictions(y=Y[:5], predictions=PREDICTIONS)
    with pytest.raises(ArgumentError, match="name every row once"):
        plot_predictions(y=Y, predictions=PREDICTIONS, order=np.zeros(30, dtype=int))
    with pytest.raises(ArgumentError, match=r"above 0\.5"):
        plot_predictions(y=Y, predictions=PREDICTIONS, prob=0.5)
    with pytest.raises(ShapeError, match="one length"):
        plot_curve(Y, {"nuts": PREDICTIONS["nuts"]}, observed=([1.0], [1.0, 2.0]))


def test_refuses_fewer_axes_than_methods():
    with pytest.raises(ArgumentError, match="fewer axes"):
        plot_predictions(Figure().subplots(), y=Y, predictions=PREDICTIONS)

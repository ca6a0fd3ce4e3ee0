"""Convolutions and pools against the sum over a window, written out as loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate

from bayesdl import nn
from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl.model.handlers import substitute, trace_sites
from bayesdl.ops import numpy as bnp
from bayesdl.transform.checking import check_grads

from .reference import applied

IMAGE = np.random.default_rng(0).normal(size=(2, 7, 6, 4))


def by_loops(x: Any, w: Any, stride: Any, pads: Any, dilation: Any, groups: int) -> Any:
    """The definition of a convolution with weights (channels / groups, kh, kw, out)."""
    inside, kh, kw, out = w.shape
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    heights = range(0, x.shape[1] - (kh - 1) * dilation, stride)
    widths = range(0, x.shape[2] - (kw - 1) * dilation, stride)
    y = np.zeros((len(x), len(heights), len(widths), out))
    for (a, i), (b, j), o in product(enumerate(heights), enumerate(widths), range(out)):
        g = o // (out // groups)
        rows = slice(i, i + (kh - 1) * dilation + 1, dilation)
        columns = slice(j, j + (kw - 1) * dilation + 1, dilation)
        window = x[:, rows, columns, g * inside : (g + 1) * inside]
        y[:, a, b, o] = np.sum(window * np.moveaxis(w[..., o], 0, -1), axis=(1, 2, 3))
    return y


@pytest.mark.parametrize(
    ("options", "pads"),
    [
        ({}, ((1, 1), (1, 1))),
        ({"padding": "valid"}, ((0, 0), (0, 0))),
        ({"padding": 2}, ((2, 2), (2, 2))),
        ({"padding": ((0, 1), (2, 0))}, ((0, 1), (2, 0))),
        ({"stride": 2}, ((1, 1), (0, 1))),
        ({"dilation": 2}, ((2, 2), (2, 2))),
        ({"groups": 2}, ((1, 1), (1, 1))),
        ({"kernel": (2, 3), "padding": "valid"}, ((0, 0), (0, 0))),
    ],
)
def test_convolution_is_the_sum_over_a_window(options: Any, pads: Any) -> None:
    """Every option on its own."""
    found, w = applied(nn.Conv2d(6, **options), IMAGE)
    known = {"stride": 1, "dilation": 1, "groups": 1, **options}
    wanted = by_loops(
        IMAGE, w["conv.weight"], known["stride"], pads, known["dilation"], known["groups"]
    )
    np.testing.assert_allclose(found, wanted + w["conv.bias"], rtol=1e-11, atol=1e-12)


def test_one_axis_agrees_with_scipy() -> None:
    """One channel in and out is SciPy's correlation."""
    x = IMAGE[:1, :, 0, :1]
    found, w = applied(nn.Conv1d(1, kernel=3, bias=False), x)
    wanted = correlate(x[0, :, 0], w["conv.weight"][0, :, 0], mode="same")
    np.testing.assert_allclose(found[0, :, 0], wanted, rtol=1e-12)


@pytest.mark.parametrize("stride", [None, 1])
def test_pools(stride: Any) -> None:
    """Maximum and mean over windows of 2 × 2."""
    step = stride or 2
    blocks = [
        [IMAGE[:, i : i + 2, j : j + 2] for j in range(0, 5, step)] for i in range(0, 6, step)
    ]
    for pool, of in ((nn.MaxPool, np.max), (nn.AveragePool, np.mean)):
        wanted = np.stack([np.stack([of(b, (1, 2)) for b in row], 1) for row in blocks], 1)
        np.testing.assert_allclose(pool(2, stride)(IMAGE), wanted, rtol=1e-14)


def test_maximum_beyond_the_edges_is_not_zero() -> None:
    """All entries negative: padding must not win."""
    found = nn.MaxPool(3, 1, "same")(-np.abs(IMAGE) - 1.0)
    assert float(np.max(found)) <= -1.0


def test_gradients() -> None:
    """Weights and inputs of a strided, dilated, grouped convolution under a pool."""
    layer = nn.Conv2d(4, stride=2, dilation=2, groups=2)
    _, w = applied(layer, IMAGE)

    def loss(x: Any, kernel: Any) -> Any:
        with substitute({**w, "conv.weight": kernel}):
            return bnp.sum(nn.AveragePool(2)(layer(x)) ** 2)

    check_grads(loss, (IMAGE, w["conv.weight"]))


def test_roles_tell_dropout_which_axis_holds_units() -> None:
    """Channels come first in a weight."""
    _, w = applied(nn.Conv2d(6, name="c"), IMAGE)
    assert {n: v.shape for n, v in w.items()} == {"c.weight": (4, 3, 3, 6), "c.bias": (6,)}
    with trace_sites() as sites, substitute(w):
        nn.Conv2d(6, name="c")(IMAGE)
    assert sites["c.weight"].role == "weight"


@pytest.mark.parametrize(
    ("layer", "x", "error", "words"),
    [
        (nn.Conv2d(6), IMAGE[0], ShapeError, "needs inputs of shape"),
        (nn.Conv2d(6, kernel=9, padding="valid"), IMAGE, ShapeError, "larger than its inputs"),
        (nn.Conv2d(6, groups=3), IMAGE, ShapeError, "do not split"),
        (nn.Conv2d(6, kernel=0), IMAGE, ArgumentError, "positive whole numbers"),
        (nn.Conv2d(6, padding="full"), IMAGE, ArgumentError, "cannot pad by 'full'"),
        (nn.MaxPool(9), IMAGE, ShapeError, "larger than its inputs"),
    ],
)
def test_bad_input(layer: Any, x: Any, error: Any, words: str) -> None:
    """Shapes and sizes that cannot be."""
    with pytest.raises(error, match=words):
        applied(layer, x)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "valid"},
        {"padding": 1},
        {"padding": ((0, 1), (2, 0)), "kernel": 4},
        {"stride": 2},
        {"stride": 3, "kernel": 2},
        {"dilation": 2},
        {"groups": 2, "stride": (1, 2)},
    ],
)
def test_transposed_convolution_is_the_transpose(options: Any) -> None:
    """⟨convolve(y), x⟩ = ⟨y, transpose(x)⟩ for the same weights, whatever the options."""
    up = nn.ConvTranspose2d(6, bias=False, **options)
    found, w = applied(up, IMAGE)
    groups = options.get("groups", 1)
    kernel = w["conv.weight"].reshape(4 // groups, *w["conv.weight"].shape[1:3], groups, -1)
    turned = np.moveaxis(kernel, (4, 1, 2, 3, 0), (0, 1, 2, 3, 4))
    turned = turned.reshape(6 // groups, *kernel.shape[1:3], 4)
    y = np.random.default_rng(1).normal(size=found.shape)
    with substitute({"conv.weight": turned}):
        down = np.asarray(nn.Conv2d(4, bias=False, **options)(y))
    assert down.shape == IMAGE.shape
    np.testing.assert_allclose(np.sum(down * IMAGE), np.sum(y * found), rtol=1e-11)


def test_transposed_convolution_over_one_axis() -> None:
    """One channel, no overlap: every input becomes its multiple of the weights."""
    x = IMAGE[:1, :, 0, :1]
    found, w = applied(nn.ConvTranspose1d(1, kernel=2, stride=2), x)
    wanted = np.kron(x[0, :, 0], w["conv.weight"][0, :, 0]) + w["conv.bias"]
    np.testing.assert_allclose(found[0, :, 0], wanted, rtol=1e-12)


def test_transposed_convolution_names_bad_inputs() -> None:
    """The rows are there, the channels are not."""
    with pytest.raises(ShapeError, match="needs inputs of shape"):
        applied(nn.ConvTranspose2d(6), IMAGE[0])

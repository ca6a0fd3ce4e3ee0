"""Gradients made safe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bayesdl.infer.optim.clipping import clipped, without_spike


def test_short_gradients_stay_and_long_ones_keep_their_direction() -> None:
    short = {"a": np.array([0.3, 0.4])}
    np.testing.assert_array_equal(clipped(short, 1.0)["a"], short["a"])
    long = clipped({"a": np.array([3.0, 0.0]), "b": np.array([4.0])}, 2.0)
    np.testing.assert_allclose(long["a"], [1.2, 0.0])
    np.testing.assert_allclose(long["b"], [1.6])


def usual_after(lengths: list[float], dtype: type) -> Any:
    usual = np.zeros((), dtype)
    for k, length in enumerate(lengths):
        _, usual = without_spike(np.array([length], dtype), usual, np.asarray(k, dtype), 10.0)
    return usual


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spikes_are_shortened_to_a_multiple_of_the_root_mean_square(dtype: type) -> None:
    usual, count = usual_after([5.0, 1.0], dtype), np.asarray(2.0, dtype)
    # The running mean of 25 and 1, whose weights are 0.999 and 1.
    length = np.sqrt((0.999 * 25.0 + 1.0) / 1.999)
    gradient = {"a": np.array([3e4], dtype), "b": np.array([[-4e4]], dtype)}
    short, after = without_spike(gradient, usual, count, 10.0)
    np.testing.assert_allclose(short["a"], [6.0 * length], rtol=1e-4)
    np.testing.assert_allclose(short["b"], [[-8.0 * length]], rtol=1e-4)
    np.testing.assert_allclose(after, 0.999 * usual + 0.001 * (10.0 * length) ** 2, rtol=1e-4)


@pytest.mark.parametrize("before", [[], [1.0, 2.0]], ids=["first", "later"])
def test_gradients_of_usual_length_keep_every_bit(before: list[float]) -> None:
    gradient = np.array([0.1, -0.7, 1.3])
    count = np.asarray(float(len(before)))
    short, _ = without_spike(gradient, usual_after(before, float), count, 10.0)
    np.testing.assert_array_equal(short, gradient)


@pytest.mark.parametrize("before", [[], [1.0, 2.0]], ids=["first", "later"])
def test_squares_beyond_the_largest_number_stop_one_step_and_no_other(before: list[float]) -> None:
    usual, count = usual_after(before, np.float32), np.asarray(len(before), np.float32)
    with np.errstate(over="ignore"):
        short, usual = without_spike(np.array([1e30], np.float32), usual, count, 10.0)
        assert short.tolist() == [0.0]
        short, _ = without_spike(np.array([1.0], np.float32), usual, count + 1, 10.0)
        assert short.tolist() == [1.0]

"""The nets of the training bench on JAX, for plain JAX and for NumPyro."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from training_nets import Net


def outputs(net: Net, parts: Any, x: Any, masks: Any = None) -> Any:
    """What a net says of rows; `masks` multiply the units that enter each layer."""
    for i, shape in enumerate(net.layers):
        w, b = parts[2 * i], parts[2 * i + 1]
        last = i + 1 == len(net.layers)
        if len(shape) == 2:
            x = x.reshape(x.shape[0], -1)
            x = x if masks is None else x * masks[i]
            x = x @ w + b
            x = x if last else jax.nn.relu(x)
        else:
            x = x if masks is None else x * masks[i][:, None, None, :]
            kernel = w.transpose(1, 2, 0, 3)
            x = jax.lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = jax.nn.relu(x + b)
            windows = (1, 2, 2, 1)
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, windows, windows, "VALID")
    return x


def masks_of(net: Net, key: Any, rows: int, rate: float, dtype: Any) -> list[Any]:
    """One mask a row and layer; of a convolution, whole channels."""
    keys = jax.random.split(key, len(net.layers))
    units = [shape[0] for shape in net.layers]
    return [
        jax.random.bernoulli(k, 1.0 - rate, (rows, n)).astype(dtype) / (1.0 - rate)
        for k, n in zip(keys, units, strict=True)
    ]


def nll(net: Net, f: Any, y: Any) -> Any:
    """Negative log likelihood of rows, their sum."""
    if net.classes == 1:
        return jnp.sum(0.5 * (y - f[:, 0]) ** 2 + 0.5 * jnp.log(2.0 * jnp.pi))
    chosen = jnp.take_along_axis(jax.nn.log_softmax(f), y[:, None], axis=1)
    return -jnp.sum(chosen)

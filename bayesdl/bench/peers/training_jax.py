"""Training by JAX: one jitted loop of steps on flat weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import request, train, use_cores

use_cores(request()["cores"])
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from nets_jax import masks_of, nll, outputs  # noqa: E402
from training_nets import (  # noqa: E402
    BATCH,
    FIRST_SD,
    LEARNING_RATE,
    MEMBERS,
    NETS,
    PASS_ROWS,
    RATE,
)


def objective(method: str, net: Any, dtype: Any) -> Any:
    """What is minimised: a function (position, key, x, y)."""
    precision = jnp.asarray(net.precision(), dtype)

    def energy(weights: Any, masks: Any, x: Any, y: Any) -> Any:
        f = outputs(net, net.parts(weights), x, masks)
        prior = 0.5 * jnp.sum(precision * weights * weights)
        return net.rows / BATCH * nll(net, f, y) + prior

    def plain(theta: Any, key: Any, x: Any, y: Any) -> Any:
        return energy(theta, None, x, y)

    def mc_dropout(theta: Any, key: Any, x: Any, y: Any) -> Any:
        return energy(theta, masks_of(net, key, BATCH, RATE, dtype), x, y)

    def mean_field(theta: Any, key: Any, x: Any, y: Any) -> Any:
        mean, log_sd = theta
        noise = jax.random.normal(key, mean.shape, dtype)
        return energy(mean + jnp.exp(log_sd) * noise, None, x, y) - jnp.sum(log_sd)

    found = {"mc_dropout": mc_dropout, "mean_field": mean_field}
    return found.get(method, plain)


def adam(theta: Any, m: Any, v: Any, g: Any, count: Any) -> Any:
    """One step of Adam on one array."""
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    size = LEARNING_RATE / (1.0 - 0.9**count)
    change = size * m / (jnp.sqrt(v / (1.0 - 0.999**count)) + 1e-8)
    return theta - change, m, v


def make(method: str, name: str, dtype: Any, cores: int) -> Any:
    """The run of so many steps, and the mean negative log likelihood at the start."""
    jax.config.update("jax_enable_x64", dtype.itemsize == 8)
    net = NETS[name]
    x, y = (jnp.asarray(a) for a in net.data(dtype))
    start = jnp.asarray(net.start(), dtype)
    first = float(nll(net, outputs(net, net.parts(start), x), y)) / net.rows
    if method == "passes":
        return passes(net, start, dtype), first
    theta = (start,)
    if method == "mean_field":
        theta = (start, jnp.full_like(start, jnp.log(FIRST_SD)))
    loss = objective(method, net, dtype)
    gradient = jax.grad(lambda t, *rest: loss(t if len(t) == 2 else t[0], *rest))

    def one(count: Any, theta: Any, key: Any, x: Any, y: Any) -> Any:
        def turn(i: Any, carry: Any) -> Any:
            here, m, v, key = carry
            key, rows, noise = jax.random.split(key, 3)
            chosen = jax.random.randint(rows, (BATCH,), 0, net.rows)
            g = gradient(here, noise, x[chosen], y[chosen])
            number = (i + 1).astype(dtype)
            moved = [adam(*each, number) for each in zip(here, m, v, g, strict=True)]
            return *(tuple(part) for part in zip(*moved, strict=True)), key

        zeros = jax.tree.map(jnp.zeros_like, theta)
        return jax.lax.fori_loop(0, count, turn, (theta, zeros, zeros, key))

    key = jax.random.PRNGKey(0)
    loop = jax.jit(one)
    if method == "ensemble":
        loop = jax.jit(jax.vmap(one, in_axes=(None, None, 0, None, None)))
        key = jax.random.split(key, MEMBERS)

    def steps(count: int) -> None:
        jax.block_until_ready(loop(count, theta, key, x, y))

    return steps, first


def passes(net: Any, start: Any, dtype: Any) -> Any:
    """What makes so many stochastic passes: outputs for all rows, each under masks of its own."""
    x = jnp.asarray(net.for_passes(dtype)[0])

    def one(key: Any) -> Any:
        return outputs(net, net.parts(start), x, masks_of(net, key, PASS_ROWS, RATE, dtype))

    many, size = jax.jit(lambda keys: jax.lax.map(one, keys)), net.at_once()

    def steps(count: int) -> None:
        keys = jax.random.split(jax.random.PRNGKey(0), -(-count // size) * size)
        found = [many(keys[i : i + size]) for i in range(0, count, size)]
        np.concatenate([np.asarray(part) for part in found])

    return steps


if __name__ == "__main__":
    train(make)

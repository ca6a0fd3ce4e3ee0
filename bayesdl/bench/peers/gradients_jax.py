"""Gradients by JAX: one jitted loop, as its samplers call them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import STEP, measure, request, use_cores

use_cores(request()["cores"])
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from space_jax import density  # noqa: E402


def make(case: str, position: Any, data: list[Any], dtype: Any) -> Any:
    """The jitted loop and the jitted gradient."""
    jax.config.update("jax_enable_x64", dtype.itemsize == 8)
    arrays = [jnp.asarray(a) for a in data]
    both = jax.value_and_grad(lambda q, *d: density(case, q, d))

    @jax.jit
    def loop(count: Any, start: Any, step: Any, *d: Any) -> Any:
        def turn(_: Any, carry: Any) -> Any:
            total, here = carry
            value, gradient = both(here, *d)
            return total + value, here + step * gradient

        return jax.lax.fori_loop(0, count, turn, (jnp.zeros((), start.dtype), start))

    start, step = jnp.asarray(position), jnp.asarray(STEP, dtype)
    once = jax.jit(both)

    def run(count: int) -> None:
        jax.block_until_ready(loop(count, start, step, *arrays))

    return run, lambda q: once(jnp.asarray(q), *arrays)


if __name__ == "__main__":
    measure(make)

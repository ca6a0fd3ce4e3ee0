"""Sampling by BlackJAX: window adaptation and NUTS, chains mapped over devices."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from runs import Run

run = Run()

import blackjax  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from blackjax.diagnostics import (  # noqa: E402
    effective_sample_size,
    potential_scale_reduction,
)
from space_jax import density  # noqa: E402

jax.config.update("jax_enable_x64", True)
data = [jnp.asarray(a) for a in run.data]


def log_density(q: Any) -> Any:
    """Of the case."""
    return density(run.case, q, data)


def chain(key: Any, start: Any) -> Any:
    """Positions and leapfrog steps of one chain, and its steps before them."""
    adapting, drawing = jax.random.split(key)
    warmup = blackjax.window_adaptation(blackjax.nuts, log_density, max_num_doublings=run.depth)
    (state, settings), adaptation = warmup.run(adapting, start, num_steps=run.tune)
    kernel = blackjax.nuts(log_density, **settings)

    def step(state: Any, key: Any) -> Any:
        state, info = kernel.step(key, state)
        return state, (state.position, info.num_integration_steps)

    draws, steps = jax.lax.scan(step, state, jax.random.split(drawing, run.draws))[1]
    return draws, steps, adaptation.info.num_integration_steps.sum()


key = jax.random.PRNGKey(run.seed)
starts = 2.0 * jax.random.uniform(key, (run.chains, run.dim)) - 1.0
keys = jax.random.split(key, run.chains)
compiled = jax.pmap(chain).lower(keys, starts).compile()
begin = time.perf_counter()
draws, steps, before = jax.block_until_ready(compiled(keys, starts))
run.sampled(time.perf_counter() - begin, int(steps.sum()), int(before.sum()))
if run.summarise:
    run.summarised(
        draws.mean((0, 1)),
        draws.std((0, 1)),
        potential_scale_reduction(draws),
        effective_sample_size(draws),
    )
if run.wants_draws:
    run.keep(draws)
run.reply()

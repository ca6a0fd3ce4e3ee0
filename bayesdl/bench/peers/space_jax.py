"""The bench densities on JAX, for its samplers."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from densities import DENSITIES


def scan(step: Any, first: Any, xs: Any) -> Any:
    """The first value and those that the steps give."""

    def one(before: Any, x: Any) -> Any:
        now = step(before, x)
        return now, now

    return jnp.concatenate([first[None], jax.lax.scan(one, first, xs)[1]])


SPACE = SimpleNamespace(
    exp=jnp.exp, log=jnp.log, log1p=jnp.log1p, sum=jnp.sum, tanh=jnp.tanh,
    softplus=jax.nn.softplus, scan=scan,
)  # fmt: skip


class CompileClock:
    """Seconds that JAX spends on tracing and compiling, by its own events."""

    def __init__(self) -> None:
        self.intervals: list[tuple[float, float]] = []
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def _hear(self, event: str, duration: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            now = time.perf_counter()
            self.intervals.append((now - duration, now))

    def seconds(self, since: float) -> float:
        """Length of the union of the events after a moment: inner ones lie within outer ones."""
        total, reached = 0.0, since
        for begin, end in sorted(self.intervals):
            total += max(0.0, end - max(begin, reached))
            reached = max(reached, end)
        return total


def density(case: str, q: Any, data: Any) -> Any:
    """Log density of a case at a position."""
    return DENSITIES[case](SPACE, q, *data)

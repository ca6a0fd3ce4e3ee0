"""One long run: when each draw was there, and the most memory that it took."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from harness import reply, request

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl.bench.models import CASES
from bayesdl.infer.machine import peak_megabytes

CHAINS = 4


@bdl.model
def network(x: Any, y: Any = None) -> None:
    """3-98-98-1 tanh: 10193 weights and biases, and few rows, so that the draws are the work."""
    f = nn.MLP((98, 98), 1, activation="tanh")(x)[:, 0]
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, 0.3), obs=y)


def run_of(name: str, folder: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Model, arguments and settings."""
    if name == "schools":
        return CASES["eight_schools"].model, CASES["eight_schools"].arguments(), {"tune": 1000}
    x = np.random.default_rng(0).normal(size=(4, 3))
    settings = {"tune": 100, "max_treedepth": 2, "dtype": np.float32, "store": folder}
    return network, (x, np.sin(x[:, 0])), settings


if __name__ == "__main__":
    asked = request()
    model, arguments, settings = run_of(asked["run"], asked["folder"])
    begin = time.perf_counter()
    # Seconds since the start, those of all processors' work, and draws of all chains by then.
    seen = [(0.0, time.process_time(), 0)]

    def watch(record: dict[str, Any]) -> None:
        """One point of the curve."""
        # The last chain's warm-up is not part of anybody's rate.
        drawn = sum(record["drawn"]) if min(record["drawn"]) else 0
        seen.append((time.perf_counter() - begin, time.process_time(), drawn))

    post = bdl.fit(
        model,
        *arguments,
        draws=asked["draws"] // CHAINS,
        chains=CHAINS,
        random_seed=1,
        progressbar=watch,
        **settings,
    )
    values = post.draws.values.values()
    reply(
        {
            "seen": seen,
            "whole_seconds": time.perf_counter() - begin,
            "peak_mb": peak_megabytes(),
            "draws_mb": sum(math.prod(v.shape) * v.dtype.itemsize for v in values) / 1e6,
        }
    )

"""Gradients by bayesdl: one native loop, as its samplers call them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from harness import STEP, measure, request, use_cores

HELPERS = request()["cores"] - 1
use_cores(HELPERS + 1)
from bayesdl.bench.loop import gradient_loop  # noqa: E402
from bayesdl.bench.models import CASES  # noqa: E402
from bayesdl.model.density import build_density  # noqa: E402


def make(case: str, position: Any, data: list[Any], dtype: Any) -> Any:
    """The native loop; its single turn is the gradient."""
    known = CASES[case]
    density = build_density(known.model, (*data, *known.settings), {}, dtype=dtype)
    loop = gradient_loop(density)
    step = np.asarray(STEP, dtype)

    def run(count: int) -> Any:
        with loop.helped(HELPERS):
            return loop(np.asarray(count), position, step, *density.data)

    def both(q: Any) -> Any:
        value, _, gradient = loop(np.asarray(1), q, step, *density.data)
        return value, gradient

    return run, both


if __name__ == "__main__":
    measure(make)

"""Gradients by HIPS autograd: a Python loop over NumPy."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import autograd
import autograd.numpy as anp
from densities import DENSITIES
from harness import STEP, measure, request, use_cores

use_cores(request()["cores"])


def scan(step: Any, first: Any, xs: Any) -> Any:
    """The first value and those that the steps give."""
    found = [first]
    for i in range(xs.shape[0]):
        found.append(step(found[-1], xs[i]))
    return anp.stack(found)


SPACE = SimpleNamespace(
    exp=anp.exp, log=anp.log, log1p=anp.log1p, sum=anp.sum, tanh=anp.tanh,
    softplus=lambda x: anp.logaddexp(x, 0.0), scan=scan,
)  # fmt: skip


def make(case: str, position: Any, data: list[Any], dtype: Any) -> Any:
    """The loop and the gradient."""
    both = autograd.value_and_grad(lambda q: DENSITIES[case](SPACE, q, *data))

    def run(count: int) -> None:
        here = position
        for _ in range(count):
            _, gradient = both(here)
            here = here + STEP * gradient

    return run, both


if __name__ == "__main__":
    measure(make)

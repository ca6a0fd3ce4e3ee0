"""Gradients by eager PyTorch: a Python loop, as its samplers call them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import torch
from densities import DENSITIES
from harness import STEP, measure, request, use_cores

use_cores(request()["cores"])
torch.set_num_threads(request()["cores"])


def scan(step: Any, first: Any, xs: Any) -> Any:
    """The first value and those that the steps give."""
    found = [first]
    for x in xs.unbind():
        found.append(step(found[-1], x))
    return torch.stack(found)


SPACE = SimpleNamespace(
    exp=torch.exp, log=torch.log, log1p=torch.log1p, sum=torch.sum, tanh=torch.tanh,
    softplus=torch.nn.functional.softplus, scan=scan,
)  # fmt: skip


def make(case: str, position: Any, data: list[Any], dtype: Any) -> Any:
    """The loop and the gradient."""
    arrays = [torch.from_numpy(a) for a in data]

    def both(q: Any) -> Any:
        here = torch.as_tensor(q).requires_grad_(True)
        value = DENSITIES[case](SPACE, here, *arrays)
        return value.detach(), torch.autograd.grad(value, here)[0]

    def run(count: int) -> None:
        here = torch.from_numpy(position)
        for _ in range(count):
            _, gradient = both(here)
            here = here.detach() + STEP * gradient

    return run, lambda q: tuple(x.numpy() for x in both(q))


if __name__ == "__main__":
    measure(make)

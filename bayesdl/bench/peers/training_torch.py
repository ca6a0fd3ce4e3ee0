"""Training by eager PyTorch: a Python loop of steps with its fused Adam."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import request, train, use_cores

use_cores(request()["cores"])
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional  # noqa: E402
from training_nets import BATCH, FIRST_SD, LEARNING_RATE, MEMBERS, NETS, RATE  # noqa: E402


def arranged(net: Any, parts: Any) -> list[Any]:
    """Arrays in PyTorch's order: kernels (out, in, height, width), channels before places."""
    found = []
    channels = 0
    for part in parts:
        if part.ndim == 4:
            channels = part.shape[-1]
            part = part.transpose(3, 0, 1, 2)
        elif part.ndim == 2:
            if channels:
                side = int((part.shape[0] // channels) ** 0.5)
                places = part.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
                part = places.reshape(part.shape)
                channels = 0
            part = part.T
        found.append(torch.from_numpy(np.ascontiguousarray(part)))
    return found


def outputs(net: Any, parts: Any, x: Any, rate: float) -> Any:
    """What a net says of rows; units that enter a layer are dropped at a rate."""
    for i, shape in enumerate(net.layers):
        w, b = parts[2 * i], parts[2 * i + 1]
        if len(shape) == 2:
            x = x.flatten(1)
            x = functional.dropout(x, rate) if rate else x
            x = functional.linear(x, w, b)
            x = functional.relu(x) if i + 1 < len(net.layers) else x
        else:
            x = functional.dropout2d(x, rate) if rate else x
            x = functional.relu(functional.conv2d(x, w, b, padding="same"))
            x = functional.max_pool2d(x, 2)
    return x


def nll(net: Any, f: Any, y: Any) -> Any:
    """Negative log likelihood of rows, their sum."""
    if net.classes == 1:
        return (0.5 * (y - f[:, 0]) ** 2).sum() + 0.5 * len(y) * float(np.log(2.0 * np.pi))
    return functional.cross_entropy(f, y, reduction="sum")


def make(method: str, name: str, dtype: Any, cores: int) -> Any:
    """The run of so many steps, and the mean negative log likelihood at the start."""
    torch.set_num_threads(cores)
    net = NETS[name]
    x, y = (torch.from_numpy(a) for a in net.data(dtype))
    x = x.permute(0, 3, 1, 2).contiguous() if x.ndim == 4 else x
    starts = arranged(net, net.parts(net.start().astype(dtype)))
    precision = arranged(net, net.parts(net.precision().astype(dtype)))
    count = MEMBERS if method == "ensemble" else 1
    members = [[s.clone().requires_grad_() for s in starts] for _ in range(count)]
    field = method == "mean_field"
    log_sds = [
        torch.full_like(s, float(np.log(FIRST_SD))).requires_grad_() for s in starts if field
    ]
    trained = [*(m for means in members for m in means), *log_sds]
    optimiser = torch.optim.Adam(trained, lr=LEARNING_RATE, fused=True)
    rate = RATE if method == "mc_dropout" else 0.0

    def loss(means: Any, chosen: Any) -> Any:
        weights = means
        if field:
            weights = [
                m + s.exp() * torch.randn_like(m) for m, s in zip(means, log_sds, strict=True)
            ]
        total = net.rows / BATCH * nll(net, outputs(net, weights, x[chosen], rate), y[chosen])
        for w, p in zip(weights, precision, strict=True):
            total = total + 0.5 * (p * w * w).sum()
        return total - sum(s.sum() for s in log_sds)

    def steps(count: int) -> None:
        for _ in range(count):
            optimiser.zero_grad(set_to_none=True)
            for means in members:
                loss(means, torch.randint(0, net.rows, (BATCH,))).backward()
            optimiser.step()

    with torch.no_grad():
        first = float(nll(net, outputs(net, starts, x, 0.0), y)) / net.rows
    return (passes(net, starts, dtype) if method == "passes" else steps), first


def passes(net: Any, weights: Any, dtype: Any) -> Any:
    """What makes so many stochastic passes: outputs for all rows, each under masks of its own."""
    x = torch.from_numpy(net.for_passes(dtype)[0])
    x = x.permute(0, 3, 1, 2).contiguous() if x.ndim == 4 else x

    def steps(count: int) -> None:
        with torch.no_grad():
            torch.stack([outputs(net, weights, x, RATE) for _ in range(count)])

    return steps


if __name__ == "__main__":
    train(make)

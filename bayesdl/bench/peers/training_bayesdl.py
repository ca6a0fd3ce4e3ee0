"""Training by bayesdl: blocks of steps, as `fit` runs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import request, train, use_cores

use_cores(request()["cores"])
import numpy as np  # noqa: E402
from training_nets import BATCH, FIRST_SD, LEARNING_RATE, MEMBERS, NETS, RATE  # noqa: E402

from bayesdl import dist, nn  # noqa: E402
from bayesdl.infer.deep.mc_dropout import MCDropout  # noqa: E402
from bayesdl.infer.optim.rates import Constant  # noqa: E402
from bayesdl.infer.run import compile_kernel, run  # noqa: E402
from bayesdl.infer.vi.vi import VI  # noqa: E402
from bayesdl.model import model  # noqa: E402
from bayesdl.model.density import build_density  # noqa: E402
from bayesdl.model.statements import plate, sample  # noqa: E402
from bayesdl.ops import numpy as bnp  # noqa: E402


class _Unending:
    """Training that goes on until it has done the steps it was asked for."""

    def finished(self, info: Any) -> bool:
        return False


class _UnendingVI(_Unending, VI):
    pass


class _UnendingDropout(_Unending, MCDropout):
    pass


def network(x: Any, name: str) -> Any:
    """What a net says of rows."""
    layers = NETS[name].layers
    for i, shape in enumerate(layers):
        if len(shape) == 2:
            x = nn.Linear(shape[1], f"net.{i}")(bnp.reshape(x, (x.shape[0], -1)))
            x = bnp.maximum(x, 0.0) if i + 1 < len(layers) else x
        else:
            x = nn.MaxPool(2)(bnp.maximum(nn.Conv2d(shape[-1], 3, name=f"net.{i}")(x), 0.0))
    return x


@model
def classes(x: Any, y: Any, name: str) -> None:
    """Rows of one class each."""
    f = network(x, name)
    with plate("rows", x.shape[0]):
        sample("y", dist.Categorical(logits=f), obs=y)


@model
def regression(x: Any, y: Any, name: str) -> None:
    """Rows with a number each."""
    f = network(x, name)
    with plate("rows", x.shape[0]):
        sample("y", dist.Normal(f[:, 0], 1.0), obs=y)


def make(method: str, name: str, dtype: Any, cores: int) -> Any:
    """The run of so many steps, and the mean negative log likelihood at the start."""
    net = NETS[name]
    x, y = net.data(dtype)
    of = classes if net.classes > 1 else regression
    density = build_density(of, (x, y, name), {}, dtype=dtype)
    common = {"batch_size": BATCH, "learning_rate": LEARNING_RATE, "schedule": Constant()}
    settings = {
        "plain": {"guide": "map"},
        "ensemble": {"guide": "map"},
        "mc_dropout": {"rate": RATE},
        "mean_field": {
            "guide": "mean_field",
            "samples": 1,
            "estimator": "closed_form_entropy",
            "init_sd": FIRST_SD,
        },
    }[method]
    kind = _UnendingDropout if method == "mc_dropout" else _UnendingVI
    kernel, target = kind.prepared(density, {**common, **settings})
    compiled = compile_kernel(kernel, target)
    start = net.start().astype(dtype)
    chains = MEMBERS if method == "ensemble" else 1
    keys = np.arange(2 * chains, dtype=np.uint32).reshape(chains, 2)
    starts = np.tile(start, (chains, 1))

    def steps(count: int) -> None:
        run(compiled, kernel, target, starts, keys, tune=count, draws=1, cores=cores)

    terms = density.site_log_densities(start, *density.data)
    return steps, -float(terms["y"]) / net.rows


if __name__ == "__main__":
    train(make)

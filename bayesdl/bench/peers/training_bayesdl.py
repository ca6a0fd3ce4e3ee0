"""Training by bayesdl: blocks of steps, as `fit` runs them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import request, train, use_cores

use_cores(request()["cores"])
import numpy as np  # noqa: E402
from training_nets import (  # noqa: E402
    BATCH,
    FIRST_SD,
    LEARNING_RATE,
    MEMBERS,
    NETS,
    PASSES,
    RATE,
)

from bayesdl import dist, nn  # noqa: E402
from bayesdl.infer.deep.mc_dropout import MCDropout  # noqa: E402
from bayesdl.infer.each import EachDraw  # noqa: E402
from bayesdl.infer.optim.rates import Constant  # noqa: E402
from bayesdl.infer.run import compile_kernel, run  # noqa: E402
from bayesdl.infer.vi.vi import VI  # noqa: E402
from bayesdl.model import model  # noqa: E402
from bayesdl.model.density import Density, build_density  # noqa: E402
from bayesdl.model.handlers import dropout  # noqa: E402
from bayesdl.model.statements import deterministic, plate, sample  # noqa: E402
from bayesdl.ops import numpy as bnp  # noqa: E402
from bayesdl.ops import random  # noqa: E402


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
    f = deterministic("f", network(x, name))
    with plate("rows", x.shape[0]):
        sample("y", dist.Categorical(logits=f), obs=y)


@model
def regression(x: Any, y: Any, name: str) -> None:
    """Rows with a number each."""
    f = deterministic("f", network(x, name))
    with plate("rows", x.shape[0]):
        sample("y", dist.Normal(f[:, 0], 1.0), obs=y)


def make(method: str, name: str, dtype: Any, cores: int) -> Any:
    """The run of so many steps, and the mean negative log likelihood at the start."""
    net = NETS[name]
    density = density_of(name, net.data(dtype), dtype)
    start = net.start().astype(dtype)
    terms = density.site_log_densities(start, *density.data)
    loss = -float(terms["y"]) / net.rows
    if method == "passes":
        return passes(density_of(name, net.for_passes(dtype), dtype), start, net.at_once()), loss
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
    chains = MEMBERS if method == "ensemble" else 1
    keys = np.arange(2 * chains, dtype=np.uint32).reshape(chains, 2)
    starts = np.tile(start, (chains, 1))

    def steps(count: int) -> None:
        run(compiled, kernel, target, starts, keys, tune=count, draws=0, cores=cores)

    return steps, loss


def density_of(name: str, data: Any, dtype: Any) -> Density:
    """The log density of a net's model."""
    of = classes if NETS[name].classes > 1 else regression
    return build_density(of, (*data, name), {}, dtype=dtype)


def passes(density: Density, start: Any, at_once: int) -> Any:
    """What makes so many stochastic passes: outputs for all rows, each under masks of its own."""

    def one(key: Any, position: Any, *data: Any) -> Any:
        masked = replace(density, ambient=(dropout(key, RATE),))
        return masked.constrain(position, *data)["f"]

    each = EachDraw(one, density.dtype, PASSES)

    def steps(count: int) -> None:
        # Code is made for as many draws at once as the first call has.
        keys = random.split(random.key(0), max(count, at_once))
        each(np.asarray(keys), (start, *density.data))

    return steps


if __name__ == "__main__":
    train(make)

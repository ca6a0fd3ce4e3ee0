"""Mean-field training by NumPyro: its SVI with an automatic normal guide, in one jitted loop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import request, train, use_cores

use_cores(request()["cores"])
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpyro  # noqa: E402
from nets_jax import nll, outputs  # noqa: E402
from numpyro import distributions as dist  # noqa: E402
from numpyro.infer import SVI, Trace_ELBO  # noqa: E402
from numpyro.infer.autoguide import AutoDelta, AutoNormal  # noqa: E402
from training_nets import BATCH, FIRST_SD, LEARNING_RATE, NETS  # noqa: E402


def make(method: str, name: str, dtype: Any, cores: int) -> Any:
    """The run of so many steps, and the mean negative log likelihood at the start."""
    if method in ("mc_dropout", "ensemble", "passes"):
        return None
    numpyro.enable_x64(dtype.itemsize == 8)
    net = NETS[name]
    x, y = (jnp.asarray(a) for a in net.data(dtype))
    starts = net.parts(jnp.asarray(net.start(), dtype))
    scales = [1.0 / jnp.sqrt(p) for p in net.parts(jnp.asarray(net.precision(), dtype))]

    def model(x: Any, y: Any) -> None:
        parts = [
            numpyro.sample(f"part{i}", dist.Normal(0.0, s).to_event(s.ndim))
            for i, s in enumerate(scales)
        ]
        with numpyro.plate("rows", net.rows, subsample_size=BATCH) as rows:
            f = outputs(net, parts, x[rows])
            of = dist.Categorical(logits=f) if net.classes > 1 else dist.Normal(f[:, 0], 1.0)
            numpyro.sample("y", of, obs=y[rows])

    first = numpyro.infer.init_to_value(values={f"part{i}": s for i, s in enumerate(starts)})
    if method == "plain":
        guide = AutoDelta(model, init_loc_fn=first)
    else:
        guide = AutoNormal(model, init_loc_fn=first, init_scale=FIRST_SD)
    svi = SVI(model, guide, numpyro.optim.Adam(LEARNING_RATE), Trace_ELBO())
    state = svi.init(jax.random.PRNGKey(0), x, y)

    @jax.jit
    def loop(count: Any, state: Any, x: Any, y: Any) -> Any:
        return jax.lax.fori_loop(0, count, lambda _, s: svi.update(s, x, y)[0], state)

    def steps(count: int) -> None:
        jax.block_until_ready(loop(count, state, x, y))

    return steps, float(nll(net, outputs(net, starts, x), y)) / net.rows


if __name__ == "__main__":
    train(make)

"""Sampling by NumPyro: NUTS, chains in parallel."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from runs import Run

run = Run()

import numpyro  # noqa: E402

numpyro.set_host_device_count(run.chains)
numpyro.enable_x64()
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from numpyro.diagnostics import summary  # noqa: E402
from numpyro.infer import MCMC, NUTS  # noqa: E402
from space_jax import CompileClock, density  # noqa: E402


class CountingNUTS(NUTS):  # type: ignore[misc]
    """NUTS whose ``num_steps`` is the sum over all iterations so far; nothing else reads it."""

    def sample(self, state: Any, model_args: Any, model_kwargs: Any) -> Any:
        """One iteration."""
        after = NUTS.sample(self, state, model_args, model_kwargs)
        return after._replace(num_steps=state.num_steps + after.num_steps)


data = [jnp.asarray(a) for a in run.data]
sampler = MCMC(
    CountingNUTS(potential_fn=lambda q: -density(run.case, q, data), max_tree_depth=run.depth),
    num_warmup=run.tune,
    num_samples=run.draws,
    num_chains=run.chains,
    chain_method="parallel" if run.chains > 1 else "sequential",
    progress_bar=False,
)


clock = CompileClock()
begin = time.perf_counter()
starts = 2.0 * jax.random.uniform(jax.random.PRNGKey(run.seed), (run.chains, run.dim)) - 1.0
sampler.run(
    jax.random.PRNGKey(run.seed),
    init_params=starts if run.chains > 1 else starts[0],
    extra_fields=("num_steps",),
)
jax.block_until_ready(sampler.get_samples())
# NumPyro compiles while it runs; its own seconds are what is left.
sampling = time.perf_counter() - begin - clock.seconds(begin)
# The first kept sum has the first draw's steps in it, taken here as those of a mean draw.
steps = sampler.get_extra_fields(group_by_chain=True)["num_steps"]
total, later = int(steps[:, -1].sum()), int((steps[:, -1] - steps[:, 0]).sum())
drawn = round(later * run.draws / max(run.draws - 1, 1))
run.sampled(sampling, drawn, total - drawn)
draws = sampler.get_samples(group_by_chain=True)
if run.summarise:
    found = summary({"q": draws})["q"]
    run.summarised(found["mean"], found["std"], found["r_hat"], found["n_eff"])
if run.wants_draws:
    run.keep(draws)
run.reply()

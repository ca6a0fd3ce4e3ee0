"""Sampling by nutpie, of a PyMC model."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from runs import Run

run = Run()

import arviz  # noqa: E402
import nutpie  # noqa: E402
from models_pymc import build, positions  # noqa: E402

compiled = nutpie.compile_pymc_model(build(run.case, run.data))
begin = time.perf_counter()
idata = nutpie.sample(
    compiled,
    draws=run.draws,
    tune=run.tune,
    chains=run.chains,
    seed=run.seed,
    maxdepth=run.depth,
    low_rank_modified_mass_matrix=run.metric == "low_rank",
    progress_bar=False,
)
run.sampled(
    time.perf_counter() - begin,
    int(idata.sample_stats["n_steps"].sum()),
    int(idata.warmup_sample_stats["n_steps"].sum()),
)
if run.summarise:
    table = arviz.summary(idata, round_to="none")
    run.summarised(table["mean"], table["sd"], table["r_hat"], table["ess_bulk"])
if run.wants_draws:
    run.keep(positions(run.case, idata.posterior))
run.reply()

"""Sampling by PyMC's own NUTS."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from runs import Run

if __name__ == "__main__":
    run = Run()
    import arviz
    import pymc as pm
    from models_pymc import build, positions

    with build(run.case, run.data):
        idata = pm.sample(
            draws=run.draws,
            tune=run.tune,
            chains=run.chains,
            cores=2,
            random_seed=run.seed,
            nuts_sampler="pymc",
            nuts={"max_treedepth": run.depth},
            progressbar=False,
            compute_convergence_checks=False,
        )
    run.sampled(
        float(idata.posterior.attrs["sampling_time"]), int(idata.sample_stats["n_steps"].sum())
    )
    if run.summarise:
        table = arviz.summary(idata, round_to="none")
        run.summarised(table["mean"], table["sd"], table["r_hat"], table["ess_bulk"])
    if run.wants_draws:
        run.keep(positions(run.case, idata.posterior))
    run.reply()

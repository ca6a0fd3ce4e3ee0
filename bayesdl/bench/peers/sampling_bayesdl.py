"""Sampling by bayesdl."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from runs import Run

run = Run()

import numpy as np  # noqa: E402

import bayesdl as bdl  # noqa: E402
from bayesdl.bench.models import CASES  # noqa: E402
from bayesdl.infer.each import EachDraw  # noqa: E402
from bayesdl.model.density import build_density  # noqa: E402

loaded = run.seconds()
case = CASES[run.case]
arguments = (*run.data, *case.settings)
post = bdl.fit(
    case.model,
    *arguments,
    draws=run.draws,
    tune=run.tune,
    chains=run.chains,
    random_seed=run.seed,
    max_treedepth=run.depth,
    metric=run.metric,
    progressbar=False,
)
found = post.draws.attrs
run.sampled(found["run_seconds"], int(post.draws.stats["n_steps"].sum()), found["warmup_gradients"])
run.phases(
    load=loaded,
    trace=found["trace_seconds"],
    compile=found["compile_seconds"] - found["trace_seconds"],
    other=run.seconds() - loaded - found["compile_seconds"] - found["run_seconds"],
    sample=found["run_seconds"],
)
if run.summarise:
    columns = post.summary().columns
    run.summarised(columns["mean"], columns["sd"], columns["r_hat"], columns["ess_bulk"])
if run.wants_draws:
    density = build_density(case.model, arguments, {})
    flat = {n: post[n].reshape(-1, *post[n].shape[2:]) for n in density.sites.latent}
    each = EachDraw(lambda values, *data: density.unconstrain(values, *data), np.float64)
    run.keep(each(flat, density.data).reshape(run.chains, run.draws, -1))
run.reply()

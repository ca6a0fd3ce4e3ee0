"""A chain is a pure function of its job and of where it stands."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from bayesdl import dist
from bayesdl.infer.chain import Chain, jobs
from bayesdl.infer.mcmc.nuts import NUTS
from bayesdl.infer.run import compile_kernel
from bayesdl.model.density import build_density
from bayesdl.model.statements import sample
from bayesdl.ops import random

KEYS = np.array([[1, 2], [3, 4]], np.uint32)
KERNEL = NUTS(max_treedepth=4)


@pytest.fixture(scope="module")
def chain() -> Any:
    density = build_density(lambda: sample("x", dist.Normal(np.zeros(2), 1.0).to_event(1)), ())
    compiled = compile_kernel(KERNEL, density, 8)
    starts = np.zeros((2, density.dim))
    found = jobs(compiled.block, compiled.executable, density.data, starts, KEYS, 20, 3)
    return Chain(found[0], KERNEL, 10)


def test_first_states_have_a_stream_of_their_own(chain: Any) -> None:
    of_steps = {tuple(np.asarray(random.fold_in(chain.job.key, i))) for i in range(-1000, 1000)}
    assert tuple(chain.job.first_key) not in of_steps
    assert tuple(chain.job.first_key) != tuple(KEYS[0])


def test_a_block_again_from_the_same_place_is_the_same_block_even_in_a_copy(chain: Any) -> None:
    here = chain.job.begin(10)
    there, report = chain.job.advance(here, 10)
    copy = pickle.loads(pickle.dumps(chain.job))
    for job in (chain.job, copy):
        again, same = job.advance(here, 10)
        assert again.at == there.at
        for a, b in zip(again.leaves, there.leaves, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(same.info["lp"], report.info["lp"])


def test_blocks_do_not_straddle_the_end_of_the_warmup(chain: Any) -> None:
    here, drawn = chain.job.begin(10), []
    one = Chain(chain.job, KERNEL, 10)
    while not one.finished:
        here, report = one.job.advance(one.here, one.limit)
        one.absorb(here, [report])
        drawn.append(report.drawn)
    assert one.warmup()["lp"].shape == (10,)
    assert next(d for d in drawn if d is not None) == 0
    assert one.drawn == 20

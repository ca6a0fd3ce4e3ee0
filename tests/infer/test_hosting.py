"""What is said of the hosting of a run is told apart from the method's own settings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bayesdl import dist
from bayesdl._base.errors import ArgumentError
from bayesdl.infer.hosting import Hosting, identity, split
from bayesdl.infer.mcmc.nuts import NUTS
from bayesdl.infer.run import compile_kernel
from bayesdl.model.density import build_density
from bayesdl.model.statements import sample


def test_split() -> None:
    hosting, own = split({"checkpoint": "a", "target_accept": 0.9})
    assert hosting == Hosting(checkpoint="a")
    assert own == {"target_accept": 0.9}


def test_an_executor_or_what_gives_one_is_taken() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert Hosting(executor=pool).executor is pool
    Hosting(executor=ThreadPoolExecutor)
    with pytest.raises(ArgumentError):
        Hosting(executor=3)


def test_the_identity_depends_on_numbers_and_statements() -> None:
    found = []
    for scale in (1.0, 2.0):
        density = build_density(lambda s=scale: sample("x", dist.Normal(0.0, s)), ())
        compiled = compile_kernel(NUTS(), density, 2)
        found.append(identity(compiled, [np.zeros(2)], np.zeros(1), np.zeros(2), {"draws": 3}))
    assert found[0]["draws"] == "3"
    assert found[0]["data"] == found[1]["data"]
    assert found[0]["model"] != found[1]["model"]

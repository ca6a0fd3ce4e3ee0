"""One sampling run of one library in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from .models import CASES
from .process import Reply, run_script

SAMPLERS = ("numpyro", "blackjax", "pymc", "nutpie")


def sampling_of(
    name: str,
    case: str,
    python: str,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 1,
    depth: int = 10,
    metric: str = "diag",
    summarise: bool = True,
    keep: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Reply:
    """Sample a bench model with one library.

    Parameters
    ----------
    name : str
        ``bayesdl`` or one of `SAMPLERS`.
    case : str
        Of a bench model.
    python : str
        The interpreter of the peers.
    draws, tune, chains, seed, depth : int
        The last is the cap on the depth of trees.
    metric : {"diag", "low_rank"}
        The second is for bayesdl and nutpie.
    summarise : bool
        Whether the library computes its own table of means, sds, R-hat and ESS.
    keep : bool
        Whether positions come back.
    environment : mapping of str to str, optional

    Returns
    -------
    Reply
        Its ``found`` has ``before_seconds`` (from the request to the start of sampling),
        ``sampling_seconds``, ``gradients``, ``all_gradients``, and what was asked for.
    """
    request: dict[str, Any] = {
        "case": case,
        "dim": CASES[case].dim,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "seed": seed,
        "depth": depth,
        "metric": metric,
        "summarise": summarise,
        "keep": keep,
        "started": time.time(),
    }
    # pmap puts each chain on a device of its own; JAX reads their number when it starts.
    devices = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={chains}"}
    return run_script(
        f"sampling_{name}.py",
        request,
        python=sys.executable if name == "bayesdl" else python,
        arrays={f"data{i}": a for i, a in enumerate(CASES[case].data())},
        environment={**(devices if name == "blackjax" else {}), **(environment or {})},
    )

"""prior_predictive: what a model says before it has seen data."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.memory import require_memory
from bayesdl._base.source import user_source
from bayesdl.export.arviz import to_arviz, to_datatree
from bayesdl.infer.each import EachDraw
from bayesdl.model.predict import prior_predictive as simulator
from bayesdl.ops import random


def prior_predictive(
    model: Any, *data: Any, draws: int = 500, random_seed: int = 0, dtype: Any = np.float64
) -> Any:
    """Simulate all sites of a model from its prior.

    Parameters
    ----------
    model : Model or callable
    *data
        The model's arguments. Where observed values are among them, their sites are simulated too
        and are found in a group of their own; without them, those sites are in the group of the
        others.
    draws : int, default 500
    random_seed : int, default 0
    dtype : dtype, default float64

    Returns
    -------
    xarray.DataTree (ArviZ 1.x) or arviz.InferenceData (0.2x)
        Groups ``prior`` (latent and deterministic sites) and ``prior_predictive`` (observed ones),
        each of shape (1, draw, *shape), and ``observed_data``.

    Raises
    ------
    ArgumentError
        If draws is not positive, or the model does not take these arguments.
    ClosedFormError
        If a prior cannot be drawn from, as a flat one.
    CapacityError
        If the draws would not fit in memory.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> def coin(heads):
    ...     bias = bdl.sample("bias", bdl.dist.Beta(1.0, 1.0))
    ...     bdl.sample("heads", bdl.dist.Binomial(10, bias), obs=heads)
    >>> found = prior_predictive(coin, 7, draws=100)
    >>> found["prior_predictive"]["heads"].shape
    (1, 100)
    """
    if draws < 1:
        raise ArgumentError(
            "draws must be a whole number of at least 1.",
            facts=[("given", draws)],
            fix="for example draws=500.",
            where=user_source(),
            code="A108",
        )
    simulate = simulator(model, data, dtype=dtype)
    first = simulate.describe(np.asarray(random.key(random_seed)))
    # They are computed in pieces, which are there until all are joined.
    whole = draws * first.size
    require_memory(f"a prior predictive of {draws} draws", {"draws": whole, "pieces": whole}, {})
    keys = np.asarray(random.split(random.key(random_seed), draws))
    found = EachDraw(lambda key, *arrays: simulate(key, *arrays), dtype)(keys, simulate.data)
    groups: dict[str, dict[str, Any]] = {"prior": {}, "prior_predictive": {}}
    for name in first.dims:
        group = "prior_predictive" if name in first.observed else "prior"
        groups[group][name] = np.asarray(found[name])[None]
    attrs = {"model": simulate.name, "random_seed": random_seed}
    groups["observed_data"] = first.observed
    return to_arviz(to_datatree(groups, dims=first.dims, coords=first.coords, attrs=attrs))

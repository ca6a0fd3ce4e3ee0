"""Truths from a prior, data from truths, and the model given such data as inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.infer.each import EachDraw
from bayesdl.model import Model
from bayesdl.model.handlers import condition
from bayesdl.model.predict import log_likelihood, prior_predictive
from bayesdl.ops import random

Arrays = dict[str, np.ndarray[Any, Any]]


def given_data(model: Model) -> Model:
    """The model with its observed values as a further argument, in front."""

    def again(observed: Any, *args: Any) -> Any:
        with condition(observed):
            return model(*args)

    return Model(again, name=model.name)


def simulated(
    model: Model, data: tuple[Any, ...], count: int, seed: int, dtype: Any
) -> tuple[Arrays, Arrays]:
    """Truths by latent site and data by observed site, one row a simulation."""
    simulator = prior_predictive(model, data, dtype=dtype)
    names = log_likelihood(model, data, dtype=dtype).observed
    keys = np.asarray(random.split(random.key(seed), count))
    each = EachDraw(lambda key, *d: simulator(key, *d), dtype)
    found = each(keys, simulator.data)
    return found, {name: np.asarray(found[name]) for name in names}

"""Noise that grows with x: a network that says its own scale, by MC dropout.

Depeweg et al. (2018), Decomposition of uncertainty in Bayesian deep learning. The noise is
0.05 + 0.3 |x| and the data lie in [−2, 2]. Outside them the model's part of the spread grows; at 0,
where there is hardly any noise, the scale also covers what the masks add while training:

    x =  0.0   noise sd 0.133   model sd 0.032
    x =  1.0   noise sd 0.311   model sd 0.063
    x =  2.0   noise sd 0.794   model sd 0.190
    x =  4.0   noise sd 2.657   model sd 0.478
"""

from __future__ import annotations

import sys

import numpy as np

import bayesdl as bdl
from bayesdl import nn


@bdl.model
def regression(x, y=None):
    f = nn.MLP(hidden=(50,), out=2, activation="relu")(x)
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", nn.heads.heteroscedastic(f), obs=y)


if __name__ == "__main__":
    small = "--small" in sys.argv
    rng = np.random.default_rng(0)
    x = rng.uniform(-2.0, 2.0, size=(500, 1))
    y = np.sin(2.0 * x[:, 0]) + (0.05 + 0.3 * np.abs(x[:, 0])) * rng.standard_normal(500)
    post = bdl.fit(
        regression,
        x,
        y,
        method="mc_dropout",
        tune=500 if small else 20_000,
        draws=50 if small else 1000,
        random_seed=1,
    )
    at = np.array([[0.0], [1.0], [2.0], [4.0]])
    parts = post.uncertainty(at)["y"]
    for row, noise, model in zip(at[:, 0], parts.aleatoric, parts.epistemic, strict=True):
        print(f"x = {row:4.1f}   noise sd {noise**0.5:.3f}   model sd {model**0.5:.3f}")

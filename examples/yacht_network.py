"""The UCI yacht data by a Bayesian network of 50 tanh units whose chains agree in predictions.

Rows, splits and priors of Hernández-Lobato & Adams (2015), Probabilistic backpropagation: weights
of variance 1 / fan-in times a learned scale, a learned precision of the noise, both Gamma(6, 6).

``--noise weak`` has HalfNormal(1) on the noise instead. It falls to 0.008 standard deviations of
the data, where the network has fits that differ by more than the noise: chains settle in different
ones, and R-hat of the predictions says so. With the published prior, ``--data DIR`` prints:

    ok  R-hat at most 1.003 (precision); 1.01 is the limit
    ok  ESS at least 1744 (precision); 400 are needed
    ok  no divergences
    ok  0.0% of trees reached the depth limit
    ok  E-BFMI at least 0.87 (chain 2); 0.3 is the limit
        hidden: 350 weights, mean |w| 0.288, sd 0.357, R-hat 1.00 to 1.11, ESS 23 to 6435
        out: 51 weights, mean |w| 0.0905, sd 0.111, R-hat 1.00 to 1.12, ESS 23 to 1917
    test RMSE 0.985, mean tree depth 8.0, 161 s of sampling
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import bayesdl as bdl
from bayesdl import dist, nn


@bdl.model
def regression(x, y=None, noise="published"):
    spread = bdl.sample("precision", dist.Gamma(6.0, 6.0)) ** -0.5
    hidden = layer(x, 50, "hidden", spread)
    f = layer(np.tanh(hidden), 1, "out", spread)[:, 0]
    if noise == "published":
        sigma = bdl.sample("noise_precision", dist.Gamma(6.0, 6.0)) ** -0.5
    else:
        sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


def layer(x, units, name, spread):
    """Affine, its weights and biases of a common prior whose scale is sampled apart from them."""
    prior = dist.Normal(0.0, (x.shape[1] + 1) ** -0.5)
    return spread * nn.Linear(units, name, prior=prior, bias_prior=prior)(x)


def rows(data):
    """Features, target, and the rows of the first published split; made up if there is no file."""
    if data:
        with np.load(Path(data) / "uci" / "yacht.npz") as file:
            return file["X"], file["y"], file["train"][0], file["test"][0]
    x = np.random.default_rng(0).normal(size=(308, 6))
    return x, np.exp(x[:, 0]), np.arange(277), np.arange(277, 308)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with uci/yacht.npz")
    parser.add_argument("--noise", choices=("published", "weak"), default="published")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--small", action="store_true", help="a few draws, to see that it runs")
    options = parser.parse_args()
    x, y, train, test = rows(options.data)
    scale = y[train].std()
    x, y = (x - x[train].mean(0)) / x[train].std(0), (y - y[train].mean()) / scale
    draws, tune = (20, 50) if options.small else (options.draws, options.tune)
    settings = {"draws": draws, "tune": tune, "chains": 4, "target_accept": 0.9, "random_seed": 1}
    post = bdl.fit(regression, x[train], y[train], options.noise, **settings)
    print(post.verdict())
    mean = post.predict(x[test], None, options.noise, kind="mean")["y"].mean((0, 1))
    rmse = scale * np.sqrt(np.mean((mean - y[test]) ** 2))
    depth = post.draws.stats["tree_depth"].mean()
    seconds = post.draws.attrs["run_seconds"]
    print(f"test RMSE {rmse:.3f}, mean tree depth {depth:.1f}, {seconds:.0f} s of sampling")

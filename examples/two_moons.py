"""Two moons by a small Bayesian network: NUTS, ADVI on all rows, and ADVI on minibatches.

The network of PyMC's tutorial on variational Bayesian networks: two hidden layers of 5 tanh units,
every weight Normal(0, 1). Half of 1000 rows are held out; the far point is (0, 4):

    method          accuracy    NLL    sd at the far point
    nuts              0.9620   0.1017     0.096
    advi              0.9620   0.1070     0.007
    minibatch advi    0.9600   0.1064     0.005

All three know the moons; away from them only NUTS says that it does not know. ADVI stops where its
bound no longer climbs, after some 3000 steps, which take less than a second.
``--picture FILE`` draws the mean of the probability and its sd over the plane.
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl import numpy as bnp


@bdl.model
def network(x, y=None):
    net = nn.MLP(hidden=(5, 5), out=1, activation="tanh", prior=dist.Normal(0.0, 1.0))
    f = net(x)[:, 0]
    bdl.deterministic("p", bnp.sigmoid(f))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Bernoulli(logits=f), obs=y)


METHODS = {
    "nuts": {"method": "nuts", "tune": 500, "draws": 500, "chains": 2},
    "advi": {"method": "advi", "tune": 10_000, "draws": 1000},
    "minibatch advi": {"method": "advi", "tune": 10_000, "draws": 1000, "batch_size": 50},
}


def picture(surfaces, at, x, y, path):
    """Mean and sd of the probability, a row of panels for each."""
    figure, axes = plt.subplots(2, len(surfaces), figsize=(4 * len(surfaces), 7))
    for column, (name, p) in zip(axes.T, surfaces.items(), strict=True):
        for panel, what, values in zip(column, ("mean", "sd"), (p.mean(0), p.std(0)), strict=True):
            drawn = panel.contourf(*at, values.reshape(at[0].shape), levels=20)
            panel.scatter(*x.T, c=y, s=4, cmap="coolwarm")
            panel.set_title(f"{name}: {what}")
            figure.colorbar(drawn, ax=panel)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--picture", help="file that the surfaces are drawn in")
    options = parser.parse_args()
    x, y = make_moons(1000, noise=0.2, random_state=0)
    x = (x - x.mean(0)) / x.std(0)
    at = np.meshgrid(np.linspace(-3.0, 3.0, 60), np.linspace(-3.0, 4.0, 70))
    plane = np.column_stack([a.ravel() for a in at])
    surfaces = {}
    print("method          accuracy    NLL    sd at the far point")
    for name, settings in METHODS.items():
        cut = {"tune": 50, "draws": 20} if options.small else {}
        post = bdl.fit(network, x[:500], y[:500], **{"random_seed": 1, **settings, **cut})

        def of(where, post=post):
            p = post.predict(where)["p"]
            return p.reshape(-1, p.shape[-1])

        p = of(x[500:]).mean(0)
        score = -np.mean(np.log(np.where(y[500:] == 1, p, 1.0 - p)))
        far = of(np.array([[0.0, 4.0], [0.0, 0.0]]))[:, 0].std()
        print(f"{name:14}  {np.mean((p > 0.5) == y[500:]):8.4f}  {score:7.4f}  {far:8.3f}")
        if options.picture:
            surfaces[name] = of(plane)
    if options.picture:
        picture(surfaces, at, x[500:], y[500:], options.picture)

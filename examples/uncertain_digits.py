"""Two kinds of doubt about a digit: labels that were noisy, and images unlike those that are known.

Kendall & Gal (2017), What uncertainties do we need in Bayesian deep learning? (arXiv:1703.04977).
In the data to learn from, half of the threes are labelled as fives and half of the fives as threes.
More data would not help there, so it is the aleatoric part that is large. Means over digits, in
nats; the net has never seen a blurred or a turned image:

                         aleatoric  epistemic
    clear digits             0.057      0.017
    threes and fives         0.448      0.085
    clear, blurred 0.5       0.088      0.019
    clear, blurred 1.0       0.582      0.072
    clear, blurred 2.0       1.052      0.118
    clear, turned            0.090      0.033

ln 2 = 0.693 would be right for a three. The epistemic part doubles for turned digits, yet most of
the doubt of blurred ones is called aleatoric: without ink where it looks for it, every net that
the masks leave is as unsure as the others.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

import bayesdl as bdl
from bayesdl import dist, nn


@bdl.model
def network(x, y=None):
    prior = dist.Normal(0.0, 3.0)
    net = (nn.Flatten(), nn.Linear(200, "first", prior), "relu", nn.Dropout(0.2))
    f = nn.Sequential((*net, nn.Linear(10, "out", prior)))(x)
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", nn.heads.categorical(f), obs=y)


def with_noise(y, rng):
    """Half of the threes become fives, and half of the fives threes."""
    swapped = np.isin(y, (3, 5)) & (rng.random(len(y)) < 0.5)
    return np.where(swapped, 8 - y, y)


if __name__ == "__main__":
    small = "--small" in sys.argv
    rng = np.random.default_rng(0)
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    x, y = (x / 8.0).reshape(-1, 8, 8)[order], y[order]
    post = bdl.fit(
        network,
        x[:1200],
        with_noise(y[:1200], rng),
        method="mc_dropout",
        learning_rate=2e-3,
        batch_size=128,
        tune=200 if small else 3000,
        draws=20 if small else 200,
        random_seed=1,
    )
    doubtful, x = np.isin(y[1200:], (3, 5)), x[1200:]
    clear = x[~doubtful]
    shown = {"clear digits": clear, "threes and fives": x[doubtful]}
    for width in (0.5, 1.0, 2.0):
        shown[f"clear, blurred {width}"] = gaussian_filter(clear, (0.0, width, width))
    shown["clear, turned"] = np.rot90(clear, axes=(1, 2))
    print("                     aleatoric  epistemic")
    for name, images in shown.items():
        parts = post.uncertainty(images)["y"]
        print(f"{name:20} {parts.aleatoric.mean():9.3f}  {parts.epistemic.mean():9.3f}")

"""Digits by two nets and four methods: the data, the nets and the fits of two larger examples.

A dense net and one of convolutions, each at its mode, under MC dropout (Gal & Ghahramani 2016,
arXiv:1506.02142), under dropout with learned rates (Gal, Hron & Kendall 2017, arXiv:1705.07832)
and by mean-field VI (Blundell et al. 2015, arXiv:1505.05424). Of five folds the first is scored,
by fits that have not seen it; `digits_dropout.py` scores them all, with settings that
`digits_settings.py` chooses:

    net    method       accuracy %     NLL
    dense  mode              97.78  0.0682
    dense  mc_dropout        98.61  0.0536
    dense  concrete          98.61  0.0535
    dense  mean_field        98.61  0.0630
    conv   mode              99.17  0.0257
    conv   mc_dropout        99.44  0.0205
    conv   concrete          99.17  0.0288
    conv   mean_field        98.89  0.0215
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
from sklearn.datasets import load_digits

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl import numpy as bnp
from bayesdl.criticism.classes import accuracy, nll
from bayesdl.infer.optim.rates import Cosine

STEPS, BATCH, FOLDS = 4000, 100, 5
METHODS = {
    "mode": {"method": "vi", "guide": "map", "draws": 1},
    "mc_dropout": {"method": "mc_dropout"},
    "concrete": {"method": "concrete_dropout"},
    "mean_field": {"method": "vi", "guide": "mean_field", "samples": 1, "init_sd": 0.01},
}
NOISE = {"dense": "local_reparametrised", "conv": "flipout"}
SETTINGS = {"mode": (10, 0), "mc_dropout": (30, 0.1), "concrete": (30, 0.1), "mean_field": (10, 30)}
"""The prior's scale times √fan_in; a rate, or one over the share at which the divergence ends."""


def network(name, rate):
    """A classifier whose prior has a scale that is data; hidden units are dropped at the rate."""
    masks = (nn.Dropout(rate),) if 0.0 < rate < 1.0 else ()

    def model(x, scale, y=None):
        def prior(fan_in):
            return dist.Normal(0.0, scale / fan_in**0.5)

        if name == "conv":
            first = nn.Conv2d(16, name="first", prior=prior), "relu", nn.MaxPool(2)
            second = nn.Conv2d(32, name="second", prior=prior), "relu", nn.MaxPool(2)
            below = (*first, *second, nn.Flatten(), *masks, nn.Linear(64, "third", prior))
        else:
            first = nn.Flatten(), nn.Linear(100, "first", prior), "relu"
            below = (*first, *masks, nn.Linear(100, "second", prior))
        f = nn.Sequential((*below, "relu", *masks, nn.Linear(10, "out", prior)))(x)
        bdl.deterministic("probs", bnp.softmax(f))
        with bdl.plate("rows", f.shape[0]):
            bdl.sample("y", nn.heads.categorical(f), obs=y)

    return bdl.model(model)


def digits():
    """Images with pixels in [0, 2], their labels, and which fold each is in."""
    x, y = load_digits(return_X_y=True)
    fold = np.empty(len(y), int)
    fold[np.random.default_rng(2026).permutation(len(y))] = np.arange(len(y)) % FOLDS
    return (x / 8.0).reshape(-1, 8, 8, 1), y, fold


def fitted(name, method, setting, out, steps=STEPS):
    """A posterior of the rows that are in none of these folds."""
    x, y, fold = digits()
    here = ~np.isin(fold, out)
    scale, other = setting
    more = {"draws": 100} | METHODS[method]
    if method == "mean_field":
        more["estimator"] = NOISE[name]
    if other >= 1:  # log prior − log guide ends at a share of 1 / other
        more["kl_warmup"] = other * steps
    common = {"tune": steps, "batch_size": BATCH, "learning_rate": 5e-3, "schedule": Cosine()}
    common |= {"random_seed": sum(10**i * k for i, k in enumerate(out)), "progressbar": False}
    model = network(name, other if "dropout" in more["method"] else 0.0)
    return bdl.fit(model, x[here], np.float32(scale), y[here], **common, **more)


if __name__ == "__main__":
    small = "--small" in sys.argv
    x, y, fold = digits()
    print("net    method       accuracy %     NLL")
    for name, method in [("dense", "mc_dropout")] if small else product(NOISE, METHODS):
        setting = SETTINGS[method]
        post = fitted(name, method, setting, (0,), 20 if small else STEPS)
        probs = post.predict(x[fold == 0], np.float32(setting[0]))["probs"][0].mean(axis=0)
        right, cost = 100 * accuracy(probs, y[fold == 0]), nll(probs, y[fold == 0])
        print(f"{name:6} {method:12} {right:10.2f}  {cost:6.4f}", flush=True)

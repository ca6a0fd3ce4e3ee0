"""A network of digits that does without most of its weights, by sparse variational dropout.

Molchanov, Ashukha & Vetrov (2017), Variational dropout sparsifies deep neural networks
(arXiv:1701.05369). Two convolutions and two linear layers, 18 552 weights:

    seed  method  accuracy    NLL    weights by layer
       1  mode     0.9883   0.0348    [144, 4608, 12800, 1000] in all 18552
       1  sparse   0.9765   0.0585    [111, 477, 578, 257] in all 1423
       2  mode     0.9899   0.0435    [144, 4608, 12800, 1000] in all 18552
       2  sparse   0.9866   0.0457    [100, 518, 534, 246] in all 1398
       3  mode     0.9916   0.0287    [144, 4608, 12800, 1000] in all 18552
       3  sparse   0.9916   0.0430    [115, 395, 489, 266] in all 1265

13 to 14.7 times fewer weights, for 0.50 ± 0.35 points of accuracy (mean and standard error of three
seeds; 7 of 597 digits for one of them, none for another). The divergence has been warmed up to a
quarter when training ends, a share that was chosen on 300 of the rows to learn from: with all of it
such nets keep a fortieth of their weights and lose about one point of accuracy there.
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

PRIOR = dist.Normal(0.0, 1.0)


@bdl.model
def network(x, y=None):
    first = (nn.Conv2d(16, name="first", prior=PRIOR), "relu", nn.MaxPool(2))
    second = (nn.Conv2d(32, name="second", prior=PRIOR), "relu", nn.MaxPool(2))
    third = (nn.Flatten(), nn.Linear(100, "third", PRIOR), "relu")
    f = nn.Sequential((*first, *second, *third, nn.Linear(10, "out", PRIOR)))(x)
    bdl.deterministic("probs", bnp.softmax(f))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", nn.heads.categorical(f), obs=y)


LAYERS = "first", "second", "third", "out"
METHODS = {
    "mode": {"method": "vi", "guide": "map", "draws": 1},
    "sparse": {"method": "sparse_variational_dropout", "kl_warmup": 16_000},
}

if __name__ == "__main__":
    small = "--small" in sys.argv
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = (x / 8.0).reshape(-1, 8, 8, 1)[order], y[order]
    common = {"draws": 100, "batch_size": 128, "learning_rate": 2e-3, "progressbar": False}
    common["tune"] = 100 if small else 4000
    print("seed  method  accuracy    NLL    weights by layer")
    for seed, name in product((1, 2, 3), METHODS):
        settings = common | METHODS[name]
        post = bdl.fit(network, x[:1200], y[:1200], random_seed=seed, **settings)
        probs = post.predict(x[1200:])["probs"][0]
        left = [int((post[f"{n}.weight"][0] != 0.0).any(axis=0).sum()) for n in LAYERS]
        scores = accuracy(probs, y[1200:]), nll(probs, y[1200:])
        print(
            f"{seed:4}  {name:6}", *(f"{v:8.4f}" for v in scores), "  ", left, "in all", sum(left)
        )

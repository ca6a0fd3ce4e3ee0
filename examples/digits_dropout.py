"""Digits by two nets, each at its mode, under two kinds of dropout, and by mean-field VI.

Gal & Ghahramani (2016), Bayesian convolutional neural networks with Bernoulli approximate
variational inference (arXiv:1506.02158); Gal, Hron & Kendall (2017), Concrete dropout
(arXiv:1705.07832); Blundell et al. (2015), Weight uncertainty in neural networks
(arXiv:1505.05424). Test rows are kept apart. Each seed learns from 900 of the 1200 others; settings
are those of the lowest NLL on the rows left (`digits_settings.py`), for the mode as for the rest,
at one number of steps:

    net    method      accuracy %    NLL           ECE          30°  MI   90°  MI
    dense  mode          97.69 ±0.25   0.0888 ±0.0034   0.0324 ±0.0017   0.86  0.50  0.48  0.50
    dense  mc_dropout    97.92 ±0.16   0.0670 ±0.0043   0.0167 ±0.0012   0.89  0.89  0.40  0.41
    dense  concrete      97.99 ±0.16   0.0660 ±0.0034   0.0241 ±0.0015   0.90  0.89  0.42  0.44
    dense  mean_field    98.16 ±0.17   0.0750 ±0.0022   0.0366 ±0.0007   0.89  0.90  0.67  0.71
    dense  mc_dropout −   0.23 ±0.22  -0.0218 ±0.0013  -0.0157 ±0.0012   0.02  0.39 -0.09 -0.09
    dense  concrete −     0.30 ±0.14  -0.0228 ±0.0019  -0.0083 ±0.0023   0.03  0.39 -0.07 -0.06
    dense  mean_field −   0.47 ±0.17  -0.0138 ±0.0033   0.0041 ±0.0011   0.03  0.40  0.19  0.21
    conv   mode          98.83 ±0.16   0.0449 ±0.0035   0.0192 ±0.0013   0.93  0.50  0.51  0.50
    conv   mc_dropout    99.13 ±0.19   0.0395 ±0.0037   0.0198 ±0.0011   0.95  0.95  0.91  0.92
    conv   concrete      99.26 ±0.13   0.0474 ±0.0040   0.0294 ±0.0009   0.96  0.95  0.87  0.89
    conv   mean_field    98.89 ±0.10   0.0465 ±0.0017   0.0225 ±0.0008   0.94  0.92  0.77  0.77
    conv   mc_dropout −   0.30 ±0.19  -0.0054 ±0.0037   0.0006 ±0.0022   0.03  0.45  0.40  0.42
    conv   concrete −     0.44 ±0.11   0.0025 ±0.0026   0.0103 ±0.0019   0.04  0.45  0.37  0.39
    conv   mean_field −   0.07 ±0.14   0.0016 ±0.0024   0.0033 ±0.0011   0.01  0.42  0.26  0.27

Mean of five seeds ± its standard error; below the methods, their differences from the mode, seed by
seed. ECE has 15 bins of equal width. The last columns are the AUROC of test digits turned by 30°
and by a right angle, told from those that are not by the entropy of their prediction, and by the
mutual information of prediction and weights.

Masks lower the NLL of both nets, mean field and learned rates that of the dense one; all keep the
accuracy. The ECE falls under masks in the dense net. In the conv net, whose mode is calibrated by a
prior that was chosen as carefully, no method lowers it, and mean field is a little less sure than
it might be in both. Turned by 30°, digits are doubted by every method. Turned by a right angle they
look like other digits to a dense net, and masks make it surer still (below 0.5); the conv net's
mode does not notice, and all that average over weights do.

Of mean field's divergence a tenth counts when training ends, a cold posterior (Wenzel et al. 2020,
arXiv:2002.02405): with a third of it the nets underfit, as `digits_settings.py` shows.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl import numpy as bnp
from bayesdl.criticism.classes import accuracy, ece, nll
from bayesdl.criticism.uncertainty import of_classes
from bayesdl.infer.optim.rates import Cosine

STEPS, BATCH = 2000, 100
CHOSEN = {  # the prior's scale times √fan_in, and a rate, or one over the share of the divergence
    "dense": {"mode": (5, 0), "mc_dropout": (30, 0.3), "concrete": (30, 0.1)},
    "conv": {"mode": (5, 0), "mc_dropout": (30, 0.3), "concrete": (10, 0.1)},
}
for methods in CHOSEN.values():
    methods["mean_field"] = (3, 10)
METHODS = {
    "mode": {"method": "vi", "guide": "map", "draws": 1},
    "mc_dropout": {"method": "mc_dropout"},
    "concrete": {"method": "concrete_dropout"},
    "mean_field": {"method": "vi", "guide": "mean_field", "samples": 1, "init_sd": 0.01},
}
NOISE = {"dense": "local_reparametrised", "conv": "flipout"}


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
    """597 images to test on, and 1200 others, with pixels in [0, 2]; their labels."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(2026).permutation(len(y))
    x, y = (x / 8.0).reshape(-1, 8, 8, 1)[order], y[order]
    return (x[:597], y[:597]), (x[597:], y[597:])


def fitted(name, method, setting, seed, steps=STEPS):
    """A posterior, the scale of its prior, and the rows that it did not learn from."""
    x, y = digits()[1]
    order = np.random.default_rng(seed).permutation(len(y))
    here, left = order[:900], order[900:]
    scale, other = np.float32(setting[0]), setting[1]
    more = {"draws": 100} | METHODS[method]
    if method == "mean_field":  # the divergence ends at a share of 1 / other
        more |= {"estimator": NOISE[name], "kl_warmup": other * steps}
    common = {"tune": steps, "batch_size": BATCH, "learning_rate": 5e-3, "schedule": Cosine()}
    common["progressbar"] = False
    model = network(name, other if "dropout" in more["method"] else 0.0)
    data = x[here], scale, y[here]
    return bdl.fit(model, *data, random_seed=seed, **common, **more), scale, (x[left], y[left])


def predicted(post, x, scale):
    """Probabilities under each draw."""
    return post.predict(x, scale)["probs"][0]


def scores(post, scale, x, y):
    """Accuracy, NLL, ECE of 15 bins of one width; AUROC of turned digits by two parts of doubt."""
    probs = predicted(post, x, scale)
    found = [accuracy(probs, y), nll(probs, y), ece(probs, y, bins=15)]
    for angle in (30, 90):
        turned = predicted(post, rotate(x, angle, axes=(1, 2), reshape=False, order=1), scale)
        parts, label = [of_classes(p) for p in (probs, turned)], np.repeat([0, 1], len(y))
        for doubt in ("total", "epistemic"):
            each = np.concatenate([getattr(p, doubt) for p in parts])
            found.append(roc_auc_score(label, each))
    return np.array(found)


def table(nets, seeds=5, steps=STEPS):
    """Print the scores on the test rows, mean ± standard error over seeds."""
    test = digits()[0]
    print("net    method      accuracy %    NLL           ECE          30°  MI   90°  MI")
    for name in nets:
        rows = {
            method: np.stack(
                [scores(*fitted(name, method, setting, s, steps)[:2], *test) for s in range(seeds)]
            )
            for method, setting in CHOSEN[name].items()
        }
        gaps = {f"{m} −": found - rows["mode"] for m, found in rows.items() if m != "mode"}
        for method, found in (rows | gaps).items():
            mean, error = found.mean(0), found.std(0, ddof=1) / seeds**0.5
            share = f"{100 * mean[0]:6.2f} ±{100 * error[0]:.2f}"
            two = "  ".join(
                f"{m:7.4f} ±{e:.4f}" for m, e in zip(mean[1:3], error[1:3], strict=True)
            )
            print(
                f"{name:6} {method:12} {share}  {two} ",
                *(f"{m:5.2f}" for m in mean[3:]),
                flush=True,
            )


if __name__ == "__main__":
    nets = [n for n in CHOSEN if n in sys.argv] or list(CHOSEN)
    table(nets, **({"seeds": 2, "steps": 100} if "--small" in sys.argv else {}))

"""Digits by two nets, each at its mode, under two kinds of dropout, and by mean-field VI.

Gal & Ghahramani (2016), Bayesian convolutional neural networks with Bernoulli approximate
variational inference (arXiv:1506.02158). By five folds: each of the 1797 rows is scored once, by a
fit (`digits_fits.py`) that has not seen it, with settings that were chosen without it
(`digits_settings.py`), for the mode as for the rest, at one number of steps:

    dense                accuracy %              NLL              ECE  chance   30°   MI  90°   MI
    mode                97.94 ±0.34   0.0708 ±0.0115   0.0074 ±0.0021  0.0068  0.88 0.50 0.46 0.50
    mc_dropout          98.22 ±0.34   0.0645 ±0.0111   0.0057 ±0.0022  0.0065  0.92 0.92 0.45 0.47
      its mode          97.66 ±0.37   0.0890 ±0.0170   0.0113 ±0.0029  0.0054  0.88 0.50 0.44 0.50
      less its mode      0.56 ±0.24  -0.0244 ±0.0083  -0.0056 ±0.0029
      less the mode      0.28 ±0.23  -0.0063 ±0.0044  -0.0017 ±0.0029
    concrete            98.44 ±0.31   0.0598 ±0.0088   0.0096 ±0.0021  0.0073  0.92 0.93 0.51 0.53
      its mode          97.66 ±0.37   0.0890 ±0.0170   0.0113 ±0.0029  0.0054  0.88 0.50 0.44 0.50
      less its mode      0.78 ±0.25  -0.0291 ±0.0102  -0.0017 ±0.0040
      less the mode      0.50 ±0.22  -0.0110 ±0.0051   0.0021 ±0.0027
    mean_field          98.39 ±0.31   0.0751 ±0.0142   0.0068 ±0.0021  0.0078  0.95 0.95 0.90 0.91
      its mode          97.89 ±0.35   0.1015 ±0.0201   0.0135 ±0.0028  0.0054  0.88 0.50 0.42 0.50
      less its mode      0.50 ±0.21  -0.0265 ±0.0098  -0.0067 ±0.0038
      less the mode      0.45 ±0.23   0.0042 ±0.0062  -0.0007 ±0.0029
    conv                 accuracy %              NLL              ECE  chance   30°   MI  90°   MI
    mode                98.66 ±0.28   0.0472 ±0.0093   0.0034 ±0.0018  0.0050  0.93 0.50 0.73 0.50
    mc_dropout          98.83 ±0.27   0.0323 ±0.0058   0.0042 ±0.0016  0.0060  0.96 0.95 0.94 0.94
      its mode          98.44 ±0.29   0.0592 ±0.0124   0.0081 ±0.0024  0.0046  0.93 0.50 0.73 0.50
      less its mode      0.39 ±0.24  -0.0269 ±0.0092  -0.0039 ±0.0026
      less the mode      0.17 ±0.22  -0.0149 ±0.0074   0.0008 ±0.0023
    concrete            98.83 ±0.26   0.0359 ±0.0049   0.0102 ±0.0014  0.0069  0.97 0.96 0.94 0.95
      its mode          98.44 ±0.29   0.0592 ±0.0124   0.0081 ±0.0024  0.0046  0.93 0.50 0.73 0.50
      less its mode      0.39 ±0.24  -0.0233 ±0.0094   0.0022 ±0.0027
      less the mode      0.17 ±0.23  -0.0112 ±0.0072   0.0068 ±0.0022
    mean_field          98.89 ±0.25   0.0429 ±0.0081   0.0072 ±0.0021  0.0052  0.93 0.92 0.84 0.85
      its mode          98.39 ±0.32   0.0655 ±0.0141   0.0087 ±0.0024  0.0046  0.93 0.50 0.72 0.50
      less its mode      0.50 ±0.22  -0.0226 ±0.0087  -0.0015 ±0.0021
      less the mode      0.22 ±0.19  -0.0043 ±0.0058   0.0038 ±0.0020

`mode` has the prior that suits it best; `its mode` is that under the method's own prior, and share
of the divergence. Errors are standard errors over rows, resampled, of differences pair by pair, for
one seed. ECE has 15 bins of equal width, `chance` is what it would be on average if labels were
drawn from these probabilities. The last columns are the AUROC of digits turned by 30° and by 90°,
told from those that are not by the entropy of their prediction, and by its mutual information.

Against its own mode every method has a lower NLL, in both nets, by two and a half errors or more,
and a higher accuracy; MC dropout and mean field have a lower ECE too, by one error to two. Against
the best mode, whose ECE is that of chance or below, the NLL falls in both nets under MC dropout and
learned rates and in the conv net under mean field, by about one to two errors; learned rates raise
the ECE of the conv net. No accuracy is lost.

Turned by 30°, digits are doubted by every method. Turned by a right angle they look like other
digits to a dense net, but for mean field; in the conv net all that average over weights notice.
Four minutes of one thread. Of mean field's divergence a tenth or a thirtieth counts when training
ends, a cold posterior (Wenzel et al. 2020, arXiv:2002.02405).
"""

from __future__ import annotations

import sys
from functools import cache
from itertools import product

import numpy as np
from digits_fits import STEPS, digits, fitted
from digits_settings import CHOSEN
from scipy.ndimage import rotate
from sklearn.metrics import roc_auc_score

from bayesdl.criticism.classes import accuracy, ece, nll
from bayesdl.criticism.uncertainty import decompose_entropy


@cache
def judged(name, method, setting, k, steps=STEPS):
    """Probabilities of a fold's rows; two parts of doubt of these, and of them turned twice."""
    x, _, fold = digits()
    x, scale = x[fold == k], np.float32(setting[0])
    post = fitted(name, method, setting, (k,), steps)
    turned = [rotate(x, angle, axes=(1, 2), reshape=False, order=1) for angle in (30, 90)]
    probs = [post.predict(rows, scale)["probs"][0] for rows in (x, *turned)]
    parts = [decompose_entropy(p) for p in probs]
    return probs[0].mean(0), np.array([[part.total, part.epistemic] for part in parts])


def pooled(name, method, settings, steps):
    """The same of all folds, each by the fit that has not seen it."""
    found = [judged(name, method, setting, k, steps) for k, setting in enumerate(settings)]
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found], axis=-1)


def scores(probs, y):
    """Accuracy in points, NLL, ECE of 15 bins of one width."""
    return np.array([100 * accuracy(probs, y), nll(probs, y), ece(probs, y, bins=15)])


def by_chance(probs, rounds=50):
    """The ECE to expect of labels that are drawn from these very probabilities."""
    rng = np.random.default_rng(0)
    edges = probs.cumsum(axis=1)
    draws = rng.random((rounds, len(probs), 1)) * edges[:, -1:]
    return np.mean([ece(probs, (edges < d).sum(axis=1)) for d in draws])


def table(name, chosen, steps=STEPS):
    """Print the scores of a net's methods, and what each gains over two modes."""
    y = digits()[1]
    y = np.concatenate([y[digits()[2] == k] for k in range(len(chosen["mode"]))])
    heads = f"{'accuracy %':>15}{'NLL':>17}{'ECE':>17}  chance   30°   MI  90°   MI"
    print(f"{name:16}{heads}")
    best = pooled(name, "mode", chosen["mode"], steps)
    show("mode", best, y)
    for method, settings in list(chosen.items())[1:]:
        own = pooled(name, "mode", [(s, o if o >= 1 else 0) for s, o in settings], steps)
        found = pooled(name, method, settings, steps)
        show(method, found, y)
        show("  its mode", own, y)
        row("  less its mode", y, found[0], own[0])
        row("  less the mode", y, found[0], best[0])


def show(title, found, y):
    """A row of scores; AUROC of turned digits, told by two parts of doubt."""
    probs, doubts = found
    label = np.repeat([0, 1], len(y))
    told = [
        roc_auc_score(label, np.concatenate([doubts[0][part], doubts[angle][part]]))
        for angle, part in product((1, 2), (0, 1))
    ]
    row(title, y, probs, last=f"  {by_chance(probs):.4f} " + "".join(f"{v:5.2f}" for v in told))


def row(title, y, probs, others=None, last=""):
    """Print three scores, or their differences; errors by resampling, the same rows for all."""

    def score(rows):
        found = scores(probs[rows], y[rows])
        return found if others is None else found - scores(others[rows], y[rows])

    count, rng = len(y), np.random.default_rng(0)
    errors = np.std([score(rng.integers(count, size=count)) for _ in range(200)], axis=0)
    cells = zip(score(np.arange(count)), errors, (2, 4, 4), strict=True)
    print(f"{title:16}", *(f"{v:8.{d}f} ±{e:.{d}f}" for v, e, d in cells), end="")
    print(last, flush=True)


if __name__ == "__main__":
    if "--small" in sys.argv:
        some = {"mode": [(10, 0)], "mc_dropout": [(30, 0.1)]}
        table("conv", some, steps=20)
    else:
        for net in [n for n in CHOSEN if n in sys.argv] or CHOSEN:
            table(net, CHOSEN[net])

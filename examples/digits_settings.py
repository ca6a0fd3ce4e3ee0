"""Settings of `digits_dropout.py`, chosen on rows that no fit behind them has learned from.

A fit leaves out two neighbouring folds and is scored on each. The setting with which a fold is
scored later is that of the lowest sum of NLL and ECE on the two folds beside it, by the fits that
leave that fold out as well; none of its own rows has a part in the choice. A setting is the prior's
scale times √fan_in, and a rate of dropout, or one over the share at which the divergence ends:

    net   method     setting      NLL    ECE   their sum, by fold to be scored
    dense mode       (5, 0)    0.0918 0.0210  0.1110 0.1216 0.1023 0.1199 0.1089
    dense mode       (10, 0)   0.0806 0.0107  0.0916 0.0943 0.0759 0.1162 0.0783
    dense mode       (20, 0)   0.0884 0.0116  0.1124 0.1028 0.0764 0.1270 0.0816
        chosen: (10, 0), (10, 0), (10, 0), (10, 0), (10, 0)
    dense mc_dropout (30, 0.1) 0.0747 0.0131  0.0887 0.0953 0.0696 0.1155 0.0703
    dense mc_dropout (30, 0.2) 0.0720 0.0112  0.0857 0.0960 0.0615 0.1010 0.0722
    dense mc_dropout (30, 0.3) 0.0726 0.0124  0.0867 0.1015 0.0642 0.0985 0.0738
        chosen: (30, 0.2), (30, 0.1), (30, 0.2), (30, 0.3), (30, 0.1)
    dense mean_field (5, 30)   0.0779 0.0123  0.1153 0.1007 0.0797 0.0912 0.0638
    dense mean_field (10, 10)  0.0770 0.0164  0.1124 0.1006 0.0865 0.0885 0.0795
    dense mean_field (10, 30)  0.0790 0.0142  0.1103 0.1002 0.0811 0.1008 0.0737
        chosen: (10, 30), (10, 30), (5, 30), (10, 10), (5, 30)
    conv  mode       (5, 0)    0.0493 0.0137  0.0655 0.0536 0.0579 0.0705 0.0677
    conv  mode       (10, 0)   0.0444 0.0079  0.0584 0.0406 0.0458 0.0587 0.0582
    conv  mode       (20, 0)   0.0490 0.0067  0.0656 0.0425 0.0495 0.0583 0.0626
        chosen: (10, 0), (10, 0), (10, 0), (20, 0), (10, 0)
    conv  mc_dropout (30, 0.1) 0.0384 0.0083  0.0513 0.0386 0.0534 0.0480 0.0426
    conv  mc_dropout (30, 0.2) 0.0381 0.0088  0.0441 0.0426 0.0439 0.0551 0.0488
    conv  mc_dropout (30, 0.3) 0.0386 0.0126  0.0432 0.0517 0.0486 0.0568 0.0559
        chosen: (30, 0.3), (30, 0.1), (30, 0.2), (30, 0.1), (30, 0.1)
    conv  mean_field (5, 30)   0.0458 0.0093  0.0548 0.0421 0.0499 0.0716 0.0567
    conv  mean_field (10, 10)  0.0455 0.0105  0.0585 0.0497 0.0522 0.0684 0.0512
    conv  mean_field (10, 30)  0.0554 0.0098  0.0706 0.0446 0.0574 0.0888 0.0642
        chosen: (5, 30), (5, 30), (5, 30), (10, 10), (10, 10)

Learned rates (concrete dropout) take the prior of MC dropout and have nothing else to choose.
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
from digits_fits import FOLDS, STEPS, digits, fitted

from bayesdl.criticism.classes import ece, nll

CHOSEN = {
    "dense": {
        "mode": [(10, 0)] * 5,
        "mc_dropout": [(30, 0.2), (30, 0.1), (30, 0.2), (30, 0.3), (30, 0.1)],
        "concrete": [(30, 0.1)] * 5,
        "mean_field": [(10, 30), (10, 30), (5, 30), (10, 10), (5, 30)],
    },
    "conv": {
        "mode": [(10, 0), (10, 0), (10, 0), (20, 0), (10, 0)],
        "mc_dropout": [(30, 0.3), (30, 0.1), (30, 0.2), (30, 0.1), (30, 0.1)],
        "concrete": [(30, 0.1)] * 5,
        "mean_field": [(5, 30), (5, 30), (5, 30), (10, 10), (10, 10)],
    },
}
GRIDS = {
    "mode": [(5, 0), (10, 0), (20, 0)],
    "mc_dropout": [(30, 0.1), (30, 0.2), (30, 0.3)],
    "mean_field": [(5, 30), (10, 10), (10, 30)],
}


def predicted(name, method, setting, pair, steps=STEPS):
    """Mean probabilities of the rows of two folds, by a fit of the others."""
    x, _, fold = digits()
    post = fitted(name, method, setting, pair, steps)
    return post.predict(x[np.isin(fold, pair)], np.float32(setting[0]))["probs"][0].mean(axis=0)


def validated(name, method, setting, folds=FOLDS, steps=STEPS):
    """NLL and ECE, by fold to be scored, of rows of its neighbours; no fit has seen any of them."""
    _, y, fold = digits()
    rows = {k: ([], []) for k in range(FOLDS)}
    for k in range(folds):
        pair = k, (k + 1) % FOLDS
        probs = predicted(name, method, setting, pair, steps)
        here, labels = (part[np.isin(fold, pair)] for part in (fold, y))
        for scored, other in (pair, pair[::-1]):
            rows[scored][0].append(probs[here == other])
            rows[scored][1].append(labels[here == other])
    joined = [[np.concatenate(part) for part in found] for found in rows.values() if found[0]]
    return np.array([(nll(*found), ece(*found)) for found in joined])


def choose(name, method, settings, **fewer):
    """Print what each setting gives, and the best one of each fold."""
    found = np.array([validated(name, method, setting, **fewer) for setting in settings])
    for setting, each in zip(settings, found, strict=True):
        row = f"{name:5} {method:10} {setting!s:9} {each[:, 0].mean():.4f} {each[:, 1].mean():.4f}"
        print(row, "", *(f"{total:.4f}" for total in each.sum(axis=1)), flush=True)
    best = found.sum(axis=2).argmin(axis=0)
    print("    chosen:", ", ".join(str(settings[i]) for i in best), flush=True)


if __name__ == "__main__":
    small = "--small" in sys.argv
    print("net   method     setting      NLL    ECE   their sum, by fold to be scored")
    for name, method in product(["dense"] if small else ["dense", "conv"], GRIDS):
        if small:
            choose(name, method, GRIDS[method][:1], folds=1, steps=20)
        else:
            choose(name, method, GRIDS[method])

"""Settings of `digits_dropout.py`, chosen on rows that no fit has learned from.

For each net and method the setting of the lowest mean NLL over two seeds, of 300 rows each, none of
which is a test row:

    dense  mode        (5, 0)     0.1201  (0.1218 0.1183)
    dense  mode        (10, 0)    0.1241  (0.1230 0.1253)
    dense  mode        (20, 0)    0.1478  (0.1404 0.1552)
    dense  mc_dropout  (10, 0.1)  0.1046  (0.1068 0.1025)
    dense  mc_dropout  (10, 0.3)  0.1017  (0.1059 0.0976)
    dense  mc_dropout  (10, 0.5)  0.1187  (0.1238 0.1136)
    dense  mc_dropout  (30, 0.1)  0.1095  (0.1237 0.0952)
    dense  mc_dropout  (30, 0.3)  0.0887  (0.0962 0.0812)
    dense  mc_dropout  (30, 0.5)  0.1009  (0.1084 0.0934)
    dense  concrete    (10, 0.1)  0.1035  (0.1063 0.1006)
    dense  concrete    (30, 0.1)  0.0956  (0.0981 0.0930)
    dense  mean_field  (1.5, 3)   0.1882  (0.1842 0.1922)
    dense  mean_field  (1.5, 10)  0.1198  (0.1211 0.1186)
    dense  mean_field  (3, 3)     0.1335  (0.1340 0.1329)
    dense  mean_field  (3, 10)    0.1070  (0.1129 0.1012)
    dense  mean_field  (5, 3)     0.1243  (0.1301 0.1185)
    dense  mean_field  (5, 10)    0.1080  (0.1171 0.0990)
    conv   mode        (5, 0)     0.0718  (0.0513 0.0923)
    conv   mode        (10, 0)    0.0723  (0.0449 0.0997)
    conv   mode        (20, 0)    0.0836  (0.0506 0.1167)
    conv   mc_dropout  (10, 0.1)  0.0700  (0.0548 0.0852)
    conv   mc_dropout  (10, 0.3)  0.0682  (0.0521 0.0844)
    conv   mc_dropout  (10, 0.5)  0.0984  (0.0850 0.1119)
    conv   mc_dropout  (30, 0.1)  0.0817  (0.0618 0.1015)
    conv   mc_dropout  (30, 0.3)  0.0623  (0.0451 0.0795)
    conv   mc_dropout  (30, 0.5)  0.0917  (0.0752 0.1082)
    conv   concrete    (10, 0.1)  0.0654  (0.0544 0.0764)
    conv   concrete    (30, 0.1)  0.0674  (0.0503 0.0846)
    conv   mean_field  (1.5, 3)   0.1320  (0.1211 0.1428)
    conv   mean_field  (1.5, 10)  0.0766  (0.0650 0.0882)
    conv   mean_field  (3, 3)     0.0951  (0.0821 0.1081)
    conv   mean_field  (3, 10)    0.0656  (0.0550 0.0762)
    conv   mean_field  (5, 3)     0.0794  (0.0681 0.0907)
    conv   mean_field  (5, 10)    0.0709  (0.0537 0.0880)
"""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
from digits_dropout import CHOSEN, METHODS, fitted, predicted

from bayesdl.criticism.classes import nll

SCALES = {"mode": (5, 10, 20), "mc_dropout": (10, 30), "concrete": (10, 30)}
SCALES |= {"mean_field": (1.5, 3, 5)}
OTHERS = {"mode": (0,), "mc_dropout": (0.1, 0.3, 0.5), "concrete": (0.1,), "mean_field": (3, 10)}

if __name__ == "__main__":
    small = "--small" in sys.argv
    seeds, steps = (1, 20) if small else (2, 2000)
    for name, method in product(["dense"] if small else CHOSEN, METHODS):
        settings = list(product(SCALES[method], OTHERS[method]))
        for setting in settings[:1] if small else settings:
            fits = [fitted(name, method, setting, s, steps) for s in range(seeds)]
            each = [nll(predicted(post, x, scale), y) for post, scale, (x, y) in fits]
            text = " ".join(f"{v:.4f}" for v in each)
            print(f"{name:6} {method:11} {setting!s:10} {np.mean(each):.4f}  ({text})", flush=True)

"""Eight schools, non-centred: a hierarchical model by NUTS, with ArviZ's summary.

Rubin (1981), Estimation in parallel randomized experiments; Gelman et al. (2013), Bayesian Data
Analysis, section 5.5. Two of 4000 draws diverge, which the fit says as well:

                 mean     sd  eti90_lb  eti90_ub  ess_bulk  ess_tail  r_hat  mcse_mean
    ─────────  ──────  ─────  ────────  ────────  ────────  ────────  ─────  ─────────
    mu          4.428  3.305    -1.043      9.79      5017      2310  1.000    0.04670
    tau         3.642  3.432     0.213     10.46      1907      1554  1.000    0.08385
    offset[0]   0.322  0.960    -1.266      1.93      5561      2480  1.001    0.01290
    offset[1]   0.081  0.928    -1.457      1.59      5744      2420  1.003    0.01224
    offset[2]  -0.069  0.955    -1.603      1.54      6533      3007  1.000    0.01181
    offset[3]   0.056  0.942    -1.533      1.60      7778      2265  1.001    0.01066
    offset[4]  -0.165  0.969    -1.735      1.41      6462      2669  1.001    0.01210
    offset[5]  -0.068  0.969    -1.696      1.52      7100      2664  1.001    0.01148
    offset[6]   0.353  0.973    -1.360      1.94      5525      2951  1.001    0.01311
    offset[7]   0.090  0.975    -1.527      1.68      6513      2686  1.002    0.01198
    theta[0]    6.307  5.474    -1.222     16.13      3820      2214  1.001    0.09610
    theta[1]    4.920  4.579    -2.377     12.31      5473      3005  1.002    0.06278
    theta[2]    3.902  5.272    -4.827     11.74      4125      2411  1.001    0.08678
    theta[3]    4.700  4.855    -3.104     12.29      4471      2476  1.001    0.07484
    theta[4]    3.612  4.720    -4.499     10.65      4738      2725  1.000    0.07126
    theta[5]    4.165  4.862    -3.836     11.72      4222      2558  1.001    0.07819
    theta[6]    6.340  5.219    -1.156     15.66      3978      2639  1.001    0.08803
    theta[7]    5.119  5.268    -2.508     13.39      4893      2938  1.000    0.07904
"""

from __future__ import annotations

import sys

import numpy as np

import bayesdl as bdl
from bayesdl import dist

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


@bdl.model
def eight_schools(error, effect=None):
    mu = bdl.sample("mu", dist.Normal(0.0, 5.0))
    tau = bdl.sample("tau", dist.HalfCauchy(5.0))
    with bdl.plate("school", error.shape[0]):
        offset = bdl.sample("offset", dist.Normal(0.0, 1.0))
        theta = bdl.deterministic("theta", mu + tau * offset)
        bdl.sample("effect", dist.Normal(theta, error), obs=effect)


if __name__ == "__main__":
    draws = 50 if "--small" in sys.argv else 1000
    post = bdl.fit(eight_schools, ERROR, EFFECT, draws=draws, tune=draws, random_seed=1)
    print(post.summary())

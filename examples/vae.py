"""Digits by three variational autoencoders: plain, importance weighted, and with a flow.

Kingma & Welling (2014), Auto-encoding variational Bayes (arXiv:1312.6114); Burda, Grosse &
Salakhutdinov (2016), Importance weighted autoencoders (arXiv:1509.00519); Dinh, Sohl-Dickstein &
Bengio (2017), Density estimation using Real NVP (arXiv:1605.08803), for the flow.

Bounds of log p(x) in nats, means over 597 digits that were not learned from, of 64 pixels that are
on or off; IWAE(50) is on 50 samples of each guide, whatever it was fitted by:

    autoencoder           ELBO   IWAE(50)   seconds
    plain                -18.27   -17.48       2.9
    importance weighted  -19.83   -17.14      22.8
    flow                 -18.23   -17.52       5.1

3000 steps of 128 digits, one seed. The importance weighted one models digits best, and gives up
some of its ELBO for it; a flow of 4 layers that does not know the digit adds nothing here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl import numpy as bnp
from bayesdl.bijectors import Bijector

HIDDEN, LATENT = 100, 10
HALF = LATENT // 2
PRIOR = dist.Normal(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Coupling(Bijector):
    """One half of a vector scaled and moved as the other half says; then they change places."""

    inner: Any
    outer: Any

    forward_event_ndim = inverse_event_ndim = 1

    def forward_and_log_det(self, x):
        still, moved = x[..., :HALF], x[..., HALF:]
        log_scale, shift = self.moves(still)
        y = bnp.concatenate([moved * np.exp(log_scale) + shift, still], axis=-1)
        return y, log_scale.sum(-1)

    def inverse(self, y):
        moved, still = y[..., :HALF], y[..., HALF:]
        log_scale, shift = self.moves(still)
        return bnp.concatenate([still, (moved - shift) * np.exp(-log_scale)], axis=-1)

    def moves(self, still):
        both = np.tanh(still @ self.inner) @ self.outer
        return np.tanh(both[..., :HALF]), both[..., HALF:]


@bdl.model
def decoder(x):
    """Pixels are coins that a network throws; its weights are fitted to a point."""
    with bdl.plate("rows", x.shape[0]):
        z = bdl.sample("z", dist.Normal(0.0, 1.0).expand((x.shape[0], LATENT)).to_event(1))
    logits = nn.MLP((HIDDEN,), 64, activation="relu", prior=PRIOR)(z)
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)


def encoder(x):
    """Independent normals by a network, which stands outside of the plate: all rows share it."""
    law = normals(x)
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("z", law)


def encoder_with_flow(x):
    """The same, bent: each half of the coordinates is moved as the other half says."""
    layers = []
    for i in range(4):
        inner = bdl.sample(f"inner.{i}", dist.Flat().expand((HALF, 32)), role="weight")
        outer = bdl.sample(f"outer.{i}", dist.Flat().expand((32, LATENT)))
        layers.append(Coupling(inner, outer))
    flow = dist.TransformedDistribution(normals(x), bdl.bijectors.Chain(tuple(layers)))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("z", flow)


def normals(x):
    """The encoder's network."""
    h = nn.MLP((HIDDEN,), 2 * LATENT, activation="relu", name="encoder")(x)
    return dist.Normal(h[:, :LATENT], np.exp(h[:, LATENT:] - 1.0)).to_event(1)


METHODS = {
    "plain": (encoder, {"estimator": "closed_form_kl", "samples": 1}),
    "importance weighted": (encoder, {"objective": "iwae", "samples": 10}),
    "flow": (encoder_with_flow, {"samples": 1}),
}

if __name__ == "__main__":
    small = "--small" in sys.argv
    pixels = (load_digits().data > 7.0).astype(float)
    pixels = pixels[np.random.default_rng(0).permutation(len(pixels))]
    x, x_test = pixels[:1200], pixels[1200:]
    common = {
        "batch_size": 128,
        "learning_rate": 2e-3,
        "schedule": "cosine",
        "tune": 100 if small else 3000,
        "draws": 1,
        "keep": "z",
        "random_seed": 1,
        "progressbar": False,
    }
    print("autoencoder           ELBO   IWAE(50)   seconds")
    for name, (guide, settings) in METHODS.items():
        post = bdl.fit(decoder, x, method="vi", guide=guide, **common, **settings)
        bounds = [
            post.guide.bounds(x_test, objective=objective, samples=50).mean()
            for objective in ("elbo", "iwae")
        ]
        print(f"{name:20}{bounds[0]:7.2f}{bounds[1]:9.2f}{post.draws.attrs['run_seconds']:10.1f}")

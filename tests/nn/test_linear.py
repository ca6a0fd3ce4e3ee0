"""An affine layer is x W + b with weights that are sites."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ShapeError
from bayesdl.model.handlers import seed, substitute, trace_sites
from bayesdl.model.sites import read_sites
from bayesdl.nn import Linear
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing import trace

X = np.random.default_rng(0).standard_normal((5, 3))
W = np.random.default_rng(1).standard_normal((3, 2))
B = np.array([0.5, -1.0])


def test_it_is_x_w_plus_b() -> None:
    with substitute({"linear.weight": W, "linear.bias": B}):
        np.testing.assert_allclose(Linear(2)(X), X @ W + B, rtol=1e-14)
    with substitute({"a.weight": W}):
        np.testing.assert_allclose(Linear(2, name="a", bias=False)(X), X @ W, rtol=1e-14)


def test_sites_carry_shape_role_and_layer() -> None:
    with trace_sites() as sites, seed(0):
        Linear(2, name="a")(X)
    assert {n: np.shape(s.value) for n, s in sites.items() if s.role} == {
        "a.weight": (3, 2),
        "a.bias": (2,),
    }
    assert (sites["a.weight"].role, sites["a.bias"].role) == ("weight", "bias")
    assert {sites[n].layer for n in ("a.weight", "a.bias")} == {"a"}


def test_default_prior_is_scaled_to_the_fan_in() -> None:
    with trace_sites() as sites, seed(0):
        Linear(2)(X)
    site = sites["linear.weight"]
    wanted = dist.Normal(0.0, 1 / np.sqrt(3)).log_prob(W).sum()
    np.testing.assert_allclose(site.distribution.log_prob(W), wanted, rtol=1e-13)


def test_priors_may_be_given() -> None:
    with trace_sites() as sites, seed(0):
        Linear(2, prior=dist.Laplace(0.0, 2.0), bias_prior=lambda n: dist.Normal(0.0, float(n)))(X)
    np.testing.assert_allclose(
        sites["linear.weight"].distribution.log_prob(W), dist.Laplace(0.0, 2.0).log_prob(W).sum()
    )
    np.testing.assert_allclose(
        sites["linear.bias"].distribution.log_prob(B), dist.Normal(0.0, 3.0).log_prob(B).sum()
    )


def test_one_row_is_a_batch_of_one() -> None:
    with substitute({"linear.weight": W, "linear.bias": B}):
        each = [Linear(2)(x[None]) for x in X]
        np.testing.assert_allclose(np.concatenate(each), Linear(2)(X), rtol=1e-14)


def test_it_traces() -> None:
    def f(x, key):
        with seed(key):
            return Linear(2)(x)

    program = trace(f, X, random.key(0)).program
    assert program.output_types[0].shape == (5, 2)


def test_it_acts_on_the_last_axis() -> None:
    x = np.random.default_rng(2).standard_normal((2, 4, 5, 3))
    with substitute({"linear.weight": W, "linear.bias": B}):
        np.testing.assert_allclose(Linear(2)(x), x @ W + B, rtol=1e-14)


def test_a_perceptron_stands_behind_attention_and_a_head_behind_every_time() -> None:
    x = np.random.default_rng(2).standard_normal((3, 4, 6))
    block = nn.Sequential(
        (nn.Residual(nn.MultiHeadAttention(2)), nn.Residual(nn.MLP((5,), 6)), nn.GRU(2))
    )
    with seed(0):
        f = nn.Linear(2)(block(x))
    law = nn.heads.heteroscedastic(f).to_event(1)
    assert (law.batch_shape, law.event_shape) == ((3,), (4,))


def test_without_priors_it_is_plain() -> None:
    """Its biases too, unless they are given a prior of their own."""

    def points(layer: Linear) -> dict[str, bool]:
        def model() -> None:
            bdl.factor("f", bnp.sum(layer(X)))

        return {name: site.point for name, site in read_sites(model, ()).items()}

    assert points(Linear(2)) == {"linear.weight": False, "linear.bias": False}
    assert points(Linear(2, prior=None)) == {"linear.weight": True, "linear.bias": True}
    normal = dist.Normal(0.0, 1.0)
    mixed = Linear(2, prior=None, bias_prior=normal)
    assert points(mixed) == {"linear.weight": True, "linear.bias": False}
    assert points(pickle.loads(pickle.dumps(mixed))) == points(mixed)
    plain = Linear(2, prior=None)
    assert points(pickle.loads(pickle.dumps(plain))) == points(plain)
    assert points(Linear(2, bias_prior=None)) == {"linear.weight": False, "linear.bias": True}


def test_inputs_have_two_axes() -> None:
    with pytest.raises(
        ShapeError, match=r"layer 'linear' needs inputs of shape \(rows, features\)"
    ) as caught:
        Linear(2)(X[:, 0])  # one column
    assert "x[:, None]" in str(caught.value)
    assert "# one column" in str(caught.value)
    assert "[T111]" in str(caught.value)

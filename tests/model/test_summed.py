"""Discrete unknowns that are summed over, against sums by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import SiteError
from bayesdl.model.density import build_density
from bayesdl.ops._bind import evaluate
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad

Y = np.array([-2.0, 0.3, 1.7, 4.0])


def of_classes(y: Any) -> None:
    w = bdl.sample("w", dist.Dirichlet(np.ones(3)))
    mu = bdl.sample("mu", dist.Normal(0.0, 5.0).expand((3,)))
    with bdl.plate("rows", y.shape[0]):
        z = bdl.sample("z", dist.Categorical(w))
        bdl.deterministic("center", mu[z])
        bdl.sample("y", dist.Normal(mu[z], 1.0), obs=y)


def mixture(y: Any) -> None:
    w = bdl.sample("w", dist.Dirichlet(np.ones(3)))
    mu = bdl.sample("mu", dist.Normal(0.0, 5.0).expand((3,)))
    with bdl.plate("rows", y.shape[0]):
        bdl.sample("y", dist.Mixture(dist.Categorical(w), dist.Normal(mu, 1.0)), obs=y)


def test_a_class_for_each_row_is_a_mixture(rng: np.random.Generator) -> None:
    """Density, gradient, log likelihood by row; eager and traced."""
    one, other = build_density(of_classes, (Y,)), build_density(mixture, (Y,))
    q = rng.normal(size=5)
    for found, expected in zip(
        evaluate(trace(value_and_grad(one.function), q, Y).program, q, Y),
        value_and_grad(other.function)(q, Y),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(one.function(q, Y), other.function(q, Y), rtol=1e-12)
    np.testing.assert_allclose(one.pointwise(q, Y)["y"], other.pointwise(q, Y)["y"], rtol=1e-12)
    assert list(one.constrain(q, Y)) == ["w", "mu"]


def levels(y: Any, p: Any, r: Any) -> None:
    """One switch for all, a count for each group, a switch for each row."""
    shift = bdl.sample("shift", dist.Normal(0.0, 1.0))
    g = bdl.sample("g", dist.Bernoulli(p))
    with bdl.plate("groups", 2):
        h = bdl.sample("h", dist.Binomial(2, r))
        with bdl.plate("rows", 3):
            z = bdl.sample("z", dist.Bernoulli(0.2 + 0.3 * g))
            bdl.sample("y", dist.Normal(h[:, None] + z * shift + 2 * g, 1.0), obs=y)


def test_levels_of_plates_are_summed_from_the_inside(rng: np.random.Generator) -> None:
    """Σ_g p(g) Π_groups Σ_h p(h) Π_rows Σ_z p(z | g) p(y | z, h, g), with SciPy."""
    stats = pytest.importorskip("scipy.stats")
    y, p, r, shift = rng.normal(size=(2, 3)), 0.3, 0.6, 0.7
    total = 0.0
    for g in (0, 1):
        product = stats.bernoulli(p).pmf(g)
        for row in y:
            of_h = [
                stats.binom(2, r).pmf(h)
                * np.prod(
                    [
                        sum(
                            stats.bernoulli(0.2 + 0.3 * g).pmf(z)
                            * stats.norm(h + z * shift + 2 * g, 1.0).pdf(v)
                            for z in (0, 1)
                        )
                        for v in row
                    ]
                )
                for h in range(3)
            ]
            product *= sum(of_h)
        total += product
    density = build_density(levels, (y, p, r))
    terms = density.site_log_densities(np.array([shift]), *density.data)
    assert set(terms) == {"shift", "y"}
    assert float(terms["y"]) == pytest.approx(np.log(total), rel=1e-12)


def test_the_scale_of_a_plate_counts_behind_the_sum() -> None:
    """A plate of 8 rows that holds 4: twice the log of each row's sum."""

    def part(y: Any, size: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        with bdl.plate("rows", size, minibatch=4):
            z = bdl.sample("z", dist.Bernoulli(0.3))
            bdl.sample("y", dist.Normal(mu * z, 1.0), obs=y)

    half, whole = (build_density(part, (Y, n)) for n in (8, 4))
    terms = [float(d.site_log_densities(np.array([0.4]), Y)["y"]) for d in (half, whole)]
    assert terms[0] == pytest.approx(2.0 * terms[1], rel=1e-12)


def test_copies_outside_of_plates_are_summed_together() -> None:
    """Two switches that meet in one observation: four terms."""

    def both(y: Any) -> None:
        shift = bdl.sample("shift", dist.Normal(0.0, 1.0))
        z = bdl.sample("z", dist.Bernoulli(np.array([0.3, 0.6])))
        bdl.sample("y", dist.Normal(shift * z.sum(), 1.0), obs=y)

    density = build_density(both, (1.2,))
    stats = pytest.importorskip("scipy.stats")
    weights = {0: 0.7 * 0.4, 1: 0.3 * 0.4 + 0.7 * 0.6, 2: 0.3 * 0.6}
    expected = np.log(sum(w * stats.norm(0.5 * n, 1.0).pdf(1.2) for n, w in weights.items()))
    terms = density.site_log_densities(np.array([0.5]), *density.data)
    assert float(terms["y"]) == pytest.approx(expected, rel=1e-12)


def test_a_fit_and_what_is_asked_of_it() -> None:
    """NUTS has no place for the classes; predictions draw them anew."""
    post = bdl.fit(of_classes, Y, draws=20, tune=20, chains=1, random_seed=0, progressbar=False)
    assert list(post.draws.values) == ["w", "mu"]
    q = post.log_likelihood(Y)["y"]
    assert q.shape == (1, 20, 4)
    assert np.isfinite(q).all()
    assert set(np.unique(post.predict(Y)["z"])) <= {0, 1, 2}


def endless(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    n = bdl.sample("n", dist.Poisson(3.0))
    bdl.sample("y", dist.Normal(mu * n, 1.0), obs=y)


def many(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    z = bdl.sample("z", dist.Bernoulli(0.5).expand((13,)))
    bdl.sample("y", dist.Normal(mu * z.sum(), 1.0), obs=y)


def outside(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", 3):
        z = bdl.sample("z", dist.Bernoulli(0.5))
    bdl.sample("y", dist.Normal(mu * z.sum(), 1.0), obs=y)


def crossed(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", 2, dim=-2):
        u = bdl.sample("u", dist.Bernoulli(0.5).expand((2, 1)))
    with bdl.plate("columns", 3, dim=-1):
        v = bdl.sample("v", dist.Bernoulli(0.5))
    with bdl.plate("rows", 2, dim=-2), bdl.plate("columns", 3, dim=-1):
        bdl.sample("y", dist.Normal(mu * u * v, 1.0), obs=y)


@pytest.mark.parametrize(
    ("model", "y", "says"),
    [
        (endless, 1.0, "not a finite set"),
        (many, 1.0, r"2 \^ 13"),
        (outside, 1.0, '"y" depends on it  plates: none'),
        (crossed, np.zeros((2, 3)), 'plates of "v"  columns'),
    ],
)
def test_what_cannot_be_summed_over(model: Any, y: Any, says: str) -> None:
    with pytest.raises(SiteError, match=says) as caught:
        build_density(model, (y,))
    assert caught.value.code == "M103"

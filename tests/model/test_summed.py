"""Discrete unknowns that are summed over, against sums by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import SiteError
from bayesdl.model.density import build_density
from bayesdl.ops import numpy as bnp
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


def of_groups(y: Any, s: Any) -> None:
    """A switch for each group, and for each of its rows, of which an unknown number tells too."""
    with bdl.plate("groups", 2):
        h = bdl.sample("h", dist.Bernoulli(0.3))
        bdl.sample("s", dist.Normal(2.0 * h, 1.0), obs=s)
        with bdl.plate("rows", 3):
            z = bdl.sample("z", dist.Bernoulli(0.2 + 0.5 * h[:, None]))
            bdl.sample("x", dist.Normal(z + h[:, None], 1.0))
            bdl.sample("y", dist.Normal(0.7 * z, 1.0), obs=y)


def test_log_likelihoods_weigh_values_by_all_that_depends_on_them(
    rng: np.random.Generator,
) -> None:
    """log p(one observation | x) with SciPy, of an outer plate and of an inner one."""
    normal = pytest.importorskip("scipy.stats").norm.pdf
    y, s, x = rng.normal(size=(2, 3)), rng.normal(size=2), rng.normal(size=(2, 3))
    density = build_density(of_groups, (y, s))
    found = density.pointwise(density.unconstrain({"x": x}, *density.data), *density.data)

    def of_row(g: int, r: int, h: int, seen: bool) -> float:
        p = 0.2 + 0.5 * h
        return sum(
            (p if z else 1.0 - p)
            * normal(x[g, r], z + h)
            * (normal(y[g, r], 0.7 * z) if seen else 1.0)
            for z in (0, 1)
        )

    for g in range(2):
        weights = np.array(
            [
                p * np.prod([of_row(g, r, h, False) for r in range(3)])
                for h, p in ((0, 0.7), (1, 0.3))
            ]
        )
        weights /= weights.sum()
        expected = np.log(weights @ [normal(s[g], 2.0 * h) for h in (0, 1)])
        assert float(found["s"][g]) == pytest.approx(expected, rel=1e-12)
        for r in range(3):
            told = [of_row(g, r, h, True) / of_row(g, r, h, False) for h in (0, 1)]
            assert float(found["y"][g, r]) == pytest.approx(np.log(weights @ told), rel=1e-12)


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


def scaled(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", 4):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        with bdl.scale(1.0 + z[0]):
            bdl.sample("y", dist.Normal(mu, 1.0), obs=y)


@pytest.mark.parametrize(
    ("model", "y", "says"),
    [
        (scaled, Y, "scale that depends on it  y"),
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


def through(f: Any) -> Any:
    """A model whose observation i has the mean f(…)[i] of the classes z."""

    def model(y: Any) -> None:
        theta = bdl.sample("theta", dist.Normal(0.0, 1.0).expand((3,)))
        with bdl.plate("rows", 4):
            z = bdl.sample("z", dist.Categorical(np.ones(3) / 3.0))
            bdl.sample("y", dist.Normal(f(theta, z, y), 1.0), obs=y)

    return model


TABLE = np.arange(12.0).reshape(4, 3)
APART = {
    "indexed": lambda t, z, y: t[z],
    "chosen": lambda t, z, y: bnp.where(z == 1, t[0], t[1] * y),
    "one of a table's row": lambda t, z, y: bnp.take_along_axis(TABLE * t, z[:, None], 1)[:, 0],
    "one hot": lambda t, z, y: (z[:, None] == np.arange(3)) * 1.0 @ t,
    "classes of a row": lambda t, z, y: bnp.softmax(t * z[:, None], -1)[:, 0],
    "reshaped": lambda t, z, y: bnp.reshape(t[z][:, None] * np.ones((4, 6)), (4, 2, 3))[:, 1, 2],
    "counted": lambda t, z, y: t[z[np.arange(4)]],
    "sums of a row": lambda t, z, y: bnp.cumsum(z[:, None] * t, 1)[:, 1],
}
MEETING = {
    "sum": lambda t, z, y: t[0] * z.sum(),
    "largest": lambda t, z, y: t[0] * (z == bnp.max(z)),
    "reversed": lambda t, z, y: t[z[::-1]],
    "the one before": lambda t, z, y: t[bnp.roll(z, 1)],
    "permuted": lambda t, z, y: t[z[np.array([1, 0, 3, 2])]],
    "where the data point": lambda t, z, y: t[z[bnp.astype(y, np.int64)]],
    "one for all": lambda t, z, y: t[z[0]],
    "running sum": lambda t, z, y: t[0] * bnp.cumsum(z),
    "sorted": lambda t, z, y: t[bnp.sort(z)],
    "matrix": lambda t, z, y: np.tri(4) @ (1.0 * z) * t[0],
    "centred": lambda t, z, y: t[0] * (z - bnp.mean(1.0 * z)),
    "counted backwards": lambda t, z, y: t[z[3 - np.arange(4)]],
}


@pytest.mark.parametrize("name", APART)
def test_rows_that_stay_apart_are_summed_by_row(name: str) -> None:
    """The density is the sum over all 3⁴ combinations."""
    density = build_density(through(APART[name]), (Y,))
    theta = np.array([0.3, -0.8, 1.4])
    each = [
        np.exp(np.sum(-0.5 * (Y - np.asarray(APART[name](theta, np.array(z), Y))) ** 2))
        for z in np.ndindex(3, 3, 3, 3)
    ]
    expected = np.log(np.mean(each)) - 2.0 * np.log(2.0 * np.pi)
    found = density.site_log_densities(theta, Y)["y"]
    assert float(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", MEETING)
def test_rows_that_meet_are_refused(name: str) -> None:
    with pytest.raises(SiteError, match="its rows are not shown to be independent") as caught:
        build_density(through(MEETING[name]), (Y,))
    assert caught.value.code == "M125"
    assert caught.value.where is not None
    assert "lambda t, z, y" in str(caught.value.where)


def of_the_last(y: Any) -> None:
    with bdl.plate("rows", 4):
        a = bdl.sample("a", dist.Bernoulli(0.3))
        b = bdl.sample("b", dist.Bernoulli(0.2 + 0.5 * a[::-1]))
        bdl.sample("y", dist.Normal(bdl.sample("mu", dist.Normal(0.0, 1.0)) * b, 1.0), obs=y)


def of_a_factor(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", 4):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.factor("f", mu * z * z[::-1] + y)


def of_a_mask(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("rows", 4):
        z = bdl.sample("z", dist.Bernoulli(0.3))
        with bdl.mask(z[::-1] == 1):
            bdl.sample("y", dist.Normal(mu, 1.0), obs=y)


def of_another_group(y: Any) -> None:
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("groups", 2):
        h = bdl.sample("h", dist.Bernoulli(0.3))
        with bdl.plate("rows", 2):
            bdl.sample("y", dist.Normal(mu * h[::-1, None], 1.0), obs=y.reshape(2, 2))


def of_a_square(y: Any) -> None:
    """The groups' switches lie along the rows, which are as many."""
    mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    with bdl.plate("groups", 2):
        h = bdl.sample("h", dist.Bernoulli(0.3))
        with bdl.plate("rows", 2):
            bdl.sample("y", dist.Normal(mu * h, 1.0), obs=y.reshape(2, 2))


@pytest.mark.parametrize(
    "model", [of_the_last, of_a_factor, of_a_mask, of_another_group, of_a_square]
)
def test_rows_that_meet_anywhere_are_refused(model: Any) -> None:
    """In the law of another unknown, a factor, a mask, an outer plate, along another axis."""
    with pytest.raises(SiteError) as caught:
        build_density(model, (Y,))
    assert caught.value.code == "M125"

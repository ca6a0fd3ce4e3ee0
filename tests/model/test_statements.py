"""What each statement does, by itself and with plates."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import constraints, dist
from bayesdl._base.errors import ArgumentError, ShapeError, SiteError
from bayesdl.model.density import build_density
from bayesdl.model.handlers import trace_sites
from bayesdl.model.statements import units
from bayesdl.tracing.flow import scan

NORMAL = dist.Normal(0.0, 1.0)


def shape_inside(*plates: Any, law: Any = NORMAL) -> tuple[int, ...]:
    """Shape of a site inside plates, the outermost first."""

    def model() -> Any:
        return bdl.sample("x", law)

    for plate in reversed(plates):
        model = plate(model)
    return np.shape(bdl.seed(0)(model)())


def test_sample_draws_observes_and_returns() -> None:
    """Data come back as they are; a draw has batch and event shape."""
    with bdl.seed(1):
        assert bdl.sample("x", NORMAL.expand((2, 3))).shape == (2, 3)
        assert bdl.sample("c", NORMAL, sample_shape=(4,)).shape == (4,)
        y = np.arange(3.0)
        assert bdl.sample("y", NORMAL.expand((3,)), obs=y) is y
        assert bdl.observe("z", NORMAL.expand((3,)), 2.0).tolist() == [2.0, 2.0, 2.0]


def test_plates_take_the_last_axes_outer_first() -> None:
    """Nested plates are (outer, inner); an explicit dim is kept; event axes stay behind."""
    three, five = bdl.plate("a", 3), bdl.plate("b", 5)
    assert shape_inside(three) == (3,)
    assert shape_inside(three, five) == (3, 5)
    assert shape_inside(bdl.plate("a", 3, dim=-3), five) == (3, 1, 5)
    assert shape_inside(bdl.plate("a", 3, dim=-1), five) == (5, 3)
    assert shape_inside(three, five, law=dist.Dirichlet(np.ones(4))) == (3, 5, 4)
    assert shape_inside(five, law=dist.Normal(np.zeros((3, 1, 5)), 1.0)) == (3, 1, 5)
    assert shape_inside(three, five, law=dist.Normal(np.zeros((3, 1)), 1.0)) == (3, 5)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (5, 1), (1, 4)])
def test_a_distribution_that_contradicts_its_plate_is_refused(shape: tuple[int, ...]) -> None:
    """Another size, or an axis of size 1 that would make a table out of a column."""
    with pytest.raises(ShapeError, match='site "x"'):
        shape_inside(bdl.plate("rows", 5), law=dist.Normal(np.zeros(shape), 1.0))


def test_a_plate_inside_itself_and_an_axis_claimed_twice_are_refused() -> None:
    """Both are errors that name the plate."""
    with pytest.raises(SiteError, match='plate "a"'):
        shape_inside(bdl.plate("a", 3), bdl.plate("a", 3))
    with pytest.raises(ShapeError, match="claim one axis"):
        shape_inside(bdl.plate("a", 3, dim=-1), bdl.plate("b", 2, dim=-1))


@pytest.mark.parametrize(
    "arguments",
    [{"size": 0}, {"size": 2.5}, {"size": 3, "minibatch": 4}, {"size": 3, "dim": 0}],
)
def test_plate_arguments(arguments: dict[str, Any]) -> None:
    """Sizes are whole and positive, a minibatch is a part, an axis is counted from the right."""
    with pytest.raises(ArgumentError, match="rows"):
        bdl.plate("rows", **arguments)


def test_scope_prefixes_and_saves_from_clashes() -> None:
    """Scopes nest, outer name first."""
    with trace_sites() as sites, bdl.seed(0):
        bdl.sample("x", NORMAL)
        with bdl.scope("outer"), bdl.scope("inner"):
            bdl.sample("x", NORMAL)
            bdl.deterministic("y", 1.0)
            bdl.factor("z", 0.0)
    assert list(sites) == ["x", "outer.inner.x", "outer.inner.y", "outer.inner.z"]


def test_units_pass_through() -> None:
    """Without a handler nothing happens to units."""
    x = np.ones((2, 3))
    assert units("layer", x) is x


def test_a_value_may_not_enlarge_a_distribution() -> None:
    """Nor may it be smaller, unless it is one number."""
    for value in (np.zeros(3), np.zeros((2, 2)), np.zeros((2, 1)), np.zeros(1)):
        with pytest.raises(ShapeError, match='site "y"'):
            bdl.observe("y", NORMAL.expand((2,)), value)


def test_what_is_not_a_distribution_or_a_name_is_refused() -> None:
    """Both errors show what to write."""
    with pytest.raises(SiteError, match="needs a distribution"):
        bdl.sample("x", 3.0)  # type: ignore[arg-type]
    with pytest.raises(SiteError, match="needs a name"):
        bdl.sample(NORMAL, NORMAL)  # type: ignore[arg-type]


def test_no_value_and_no_key() -> None:
    """A plain call of a model says that it needs a seed."""
    with pytest.raises(SiteError, match="nothing to draw it with"):
        bdl.sample("x", NORMAL)


def test_a_statement_in_the_body_of_a_scan_is_refused() -> None:
    """The body runs once in Python: it would be one site for all steps."""

    def model() -> None:
        scan(lambda carry, _: (carry + bdl.sample("x", NORMAL), None), 0.0, length=3)

    with pytest.raises(SiteError, match="traced on its own"):
        bdl.seed(0)(model)()


def test_threads_do_not_see_each_other() -> None:
    """A handler of one thread is not active in another."""
    seen: list[BaseException] = []

    def other() -> None:
        try:
            bdl.sample("x", NORMAL)
        except SiteError as error:
            seen.append(error)

    with bdl.seed(0):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(seen) == 1


def test_a_parameter_has_no_density_whatever_its_coordinates() -> None:
    """Neither a prior nor the change of variables; so where it lands does not depend on them."""

    def model() -> None:
        rate = bdl.param("rate", 2, support=constraints.positive)
        corner = bdl.param("corner", (2, 3), support=constraints.simplex, dims=("row", "part"))
        bdl.factor("f", np.log(rate).sum() + 0.0 * corner.sum())

    density = build_density(model, ())
    assert [(s.type.shape, s.point, s.distribution) for s in density.sites.latent.values()] == [
        ((2,), True, "param"),
        ((2, 3), True, "param"),
    ]
    position = np.linspace(-1.0, 1.0, density.dim)
    values = density.constrain(position)
    assert (values["rate"] > 0.0).all()
    np.testing.assert_allclose(values["corner"].sum(axis=1), 1.0)
    np.testing.assert_allclose(density.function(position), np.log(values["rate"]).sum())


def test_a_parameter_is_given_a_value_or_has_none() -> None:
    def model() -> Any:
        return bdl.param("center", 2)

    with pytest.raises(SiteError, match='parameter "center" has no value, and no prior') as caught:
        bdl.seed(0)(model)()
    assert "[M109]" in str(caught.value)
    with bdl.substitute({"center": np.ones(2)}):
        assert model().tolist() == [1.0, 1.0]
    with bdl.do({"center": 3.0}):
        assert model() == 3.0

"""What a model contains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ConcreteError, ShapeError, SiteError, SupportError
from bayesdl.model.sites import read_sites

from .models import EIGHT_SIGMA, EIGHT_Y, eight_schools, line, many_supports


def test_eight_schools() -> None:
    """Kinds, types, dims, plates, and where each part of the position lies."""
    sites = read_sites(eight_schools, (EIGHT_Y, EIGHT_SIGMA))
    assert {n: (s.kind, repr(s.type), s.dims) for n, s in sites.items()} == {
        "mu": ("latent", "f64[]", ()),
        "tau": ("latent", "f64[]", ()),
        "z": ("latent", "f64[8]", ("school",)),
        "theta": ("deterministic", "f64[8]", ("school",)),
        "y": ("observed", "f64[8]", ("school",)),
    }
    assert sites.dim == 10
    assert [s.slice for s in sites.latent.values()] == [slice(0, 1), slice(1, 2), slice(2, 10)]
    assert sites["y"].plates == (("school", 8),)
    assert sites.coords == {"school": list("ABCDEFGH")}
    np.testing.assert_array_equal(sites.data["y"], EIGHT_Y)
    assert sites["mu"].source is not None
    assert sites["mu"].source.text.startswith("mu = bdl.sample(")


def test_dims_name_the_axes_that_no_plate_names() -> None:
    """Event axes and further batch axes in order; all axes at once is accepted."""

    def model(x: Any) -> None:
        bdl.sample("w", dist.Normal(0.0, 1.0).expand((3,)).to_event(1), dims=("feature",))
        with bdl.plate("group", 2):
            bdl.sample("v", dist.Dirichlet(np.ones(4)), dims=("level",))
            bdl.deterministic("d", np.zeros((2, 5)))
            bdl.deterministic("e", np.zeros((5, 2)), dims=("a", "b"))
            bdl.factor("extra", 0.0)

    sites = read_sites(model, (np.zeros(1),))
    assert {n: s.dims for n, s in sites.items()} == {
        "w": ("feature",),
        "v": ("group", "level"),
        "d": ("group", None),
        "e": ("a", "b"),
    }
    assert sites.factors == ("extra",)


def test_wrong_dims_and_labels_are_refused() -> None:
    """One name for each axis, one label for each element."""
    vector = dist.Normal(0.0, 1.0).expand((3,))
    with pytest.raises(SiteError, match="dims"):
        read_sites(lambda: bdl.sample("w", vector, dims=("a", "b")), ())
    labelled = bdl.model(coords={"a": ["u", "v"]})(lambda: bdl.sample("w", vector, dims=("a",)))
    with pytest.raises(SiteError, match='dimension "a"'):
        read_sites(labelled, ())


def test_a_dimension_has_one_size_and_one_place() -> None:
    """Results could not be labelled otherwise."""

    def two_sizes() -> None:
        for i, n in enumerate((2, 3)):
            with bdl.plate("rows", n):
                bdl.sample(f"x{i}", dist.Normal(0.0, 1.0))

    with pytest.raises(SiteError, match='dimension "rows"'):
        read_sites(two_sizes, ())
    table = dist.Normal(0.0, 1.0).expand((2, 2))
    with pytest.raises(SiteError, match='dimension "a"'):
        read_sites(lambda: bdl.sample("w", table, dims=("a", "a")), ())


def test_unconstrained_shapes() -> None:
    """A simplex has one dimension less, a correlation factor k(k−1)/2."""
    sites = read_sites(many_supports, (np.float64(0.0),))
    sizes = {n: s.size for n, s in sites.items() if s.latent}
    assert sizes == {"a": 1, "b": 1, "w": 2, "chol": 3, "p": 2, "order": 3, "level": 2}
    assert sites["chol"].type.shape == (3, 3)


def test_layers_say_role_and_layer() -> None:
    """So that methods for networks find the weights."""

    def model(x: Any) -> None:
        nn.MLP(hidden=(2,), name="net")(x)

    sites = read_sites(model, (np.zeros((4, 3)),))
    assert {n: (s.role, s.layer) for n, s in sites.items()} == {
        "net.0.weight": ("weight", "net.0"),
        "net.0.bias": ("bias", "net.0"),
        "net.1.weight": ("weight", "net.1"),
        "net.1.bias": ("bias", "net.1"),
    }


def test_a_branch_on_an_array_in_flight_points_at_the_model() -> None:
    """The model runs on types: Python cannot see numbers, not even those of the data."""

    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        if mu > 0:
            bdl.observe("y", dist.Normal(mu, 1.0), y)

    with pytest.raises(ConcreteError) as error:
        read_sites(model, (1.0,))
    assert error.value.where is not None
    assert error.value.where.text == "if mu > 0:"


def test_data_are_checked_after_the_models_own_arithmetic() -> None:
    """A logarithm in the model can make good data bad."""

    def model(y: Any) -> None:
        mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
        bdl.observe("log_y", dist.Normal(mu, 1.0).expand((3,)), np.log(y))

    read_sites(model, (np.array([1.0, 2.0, 3.0]),))
    with pytest.raises(SupportError, match="missing"):
        read_sites(model, (np.array([1.0, -2.0, 3.0]),))
    with pytest.raises(SupportError, match="outside the support"):
        read_sites(model, (np.array([1.0, 0.0, 3.0]),))


def test_a_mask_takes_rows_out_of_the_check() -> None:
    """Censored or missing rows are allowed where they do not count."""

    def model(y: Any, keep: Any) -> None:
        rate = bdl.sample("rate", dist.Exponential(1.0))
        with bdl.mask(keep):
            bdl.observe("y", dist.Exponential(rate).expand((2,)), y)

    read_sites(model, (np.array([1.0, -1.0]), np.array([True, False])))
    with pytest.raises(SupportError):
        read_sites(model, (np.array([1.0, -1.0]), np.array([False, True])))


def test_a_support_that_depends_on_a_latent_site_is_not_checked() -> None:
    """Whether data lie in it changes with the position; the density is −∞ where they do not."""

    def model(y: Any) -> None:
        top = bdl.sample("top", dist.Exponential(0.1))
        bdl.observe("y", dist.Uniform(0.0, top), y)

    assert read_sites(model, (5.0,))["y"].observed


def test_integer_data_of_a_discrete_site() -> None:
    """Counts may come as floats that are whole."""

    def model(y: Any) -> None:
        rate = bdl.sample("rate", dist.Exponential(1.0))
        bdl.observe("y", dist.Poisson(rate).expand((2,)), y)

    read_sites(model, (np.array([1, 2]),))
    read_sites(model, (np.array([1.0, 2.0]),))
    with pytest.raises(SupportError):
        read_sites(model, (np.array([1.5, 2.0]),))


def test_more_rows_than_the_distribution_has() -> None:
    """Caught before anything runs, with the plate as the repair."""

    def model(y: Any) -> None:
        bdl.observe("y", dist.Normal(bdl.sample("mu", dist.Normal(0.0, 1.0)), 1.0), y)

    with pytest.raises(ShapeError) as error:
        read_sites(model, (np.zeros(7),))
    assert error.value.fix == 'put the statement in `with plate("rows", 7):`.'


def test_unknown_site_name() -> None:
    """The table suggests the one that was meant."""
    sites = read_sites(line, (np.zeros(3), np.zeros(3)))
    with pytest.raises(SiteError, match="slop") as error:
        sites["slop"]
    assert error.value.fix == 'did you mean "slope"?'
    assert "slop" not in sites

"""The laws of the handlers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ShapeError, SiteError
from bayesdl.model._stack import Handler
from bayesdl.model.density import build_density
from bayesdl.model.handlers import dropout, trace_sites

from .models import EIGHT_SIGMA, EIGHT_Y, eight_schools, line

X = np.linspace(-1.0, 1.0, 5)
Y = np.array([0.1, -0.4, 0.3, 0.9, 1.2])


def log_joint(model: Any, *args: Any) -> float:
    """Sum of the log densities of all statements in one run."""
    with trace_sites() as sites:
        model(*args)
    return float(sum(s.log_density() for s in sites.values() if s.kind != "deterministic"))


def test_seed_draws_the_same_again_and_each_site_anew() -> None:
    """One seed, one run; two sites, two numbers; a wrapped model starts from the beginning."""

    def model() -> tuple[Any, Any]:
        return bdl.sample("a", dist.Normal(0.0, 1.0)), bdl.sample("b", dist.Normal(0.0, 1.0))

    seeded = bdl.seed(3)(model)
    assert seeded() == seeded() == bdl.seed(bdl.random.key(3))(model)()
    assert seeded() != bdl.seed(4)(model)()
    assert len(set(map(float, seeded()))) == 2


def test_condition_is_substitute_for_the_joint_density() -> None:
    """p(x, y) is one number, whichever site is called data."""
    values = {"slope": 0.7, "sigma": 0.4}
    both = log_joint(bdl.substitute(values)(line), X, Y)
    assert log_joint(bdl.condition(values)(line), X, Y) == both
    assert log_joint(bdl.substitute({**values, "y": Y})(line), X) == both
    direct = dist.Normal(0.0, 2.0).log_prob(0.7) + dist.Exponential(1.0).log_prob(0.4)
    assert both == pytest.approx(
        float(direct + dist.Normal(0.7 * X, 0.4).log_prob(Y).sum()), rel=1e-14
    )


def test_density_of_a_conditioned_model_leaves_the_site_out_of_the_position() -> None:
    """condition + density = density with that site fixed."""
    full = build_density(line, (X, Y))
    part = build_density(bdl.condition({"slope": 0.7})(line), (X, Y))
    assert (full.dim, part.dim) == (2, 1)
    assert part.sites["slope"].observed
    q = full.unconstrain({"slope": 0.7, "sigma": 0.4}, *full.data)
    assert float(part.function(q[1:], *part.data)) == pytest.approx(
        float(full.function(q, *full.data))
    )


def test_handlers_around_the_call_count_too_and_only_once() -> None:
    """``with condition(...): build`` and ``build(condition(...)(model))`` are the same density."""
    with bdl.condition({"slope": 0.7}), bdl.scale(0.5):
        around = build_density(line, (X, Y))
        inside = float(around.function(np.array([0.3]), *around.data))
    wrapped = build_density(bdl.condition({"slope": 0.7})(bdl.scale(0.5)(line)), (X, Y))
    outside = float(around.function(np.array([0.3]), *around.data))
    assert inside == outside == float(wrapped.function(np.array([0.3]), *wrapped.data))


def test_do_cuts_the_site_out_of_the_density() -> None:
    """The value goes on, the prior does not count."""
    values = {"slope": 0.7, "sigma": 0.4}
    kept = log_joint(bdl.substitute(values)(line), X, Y)
    cut = log_joint(bdl.do({"slope": 0.7})(bdl.substitute({"sigma": 0.4})(line)), X, Y)
    assert kept - cut == pytest.approx(float(dist.Normal(0.0, 2.0).log_prob(0.7)))
    density = build_density(bdl.do(slope=0.7)(line), (X, Y))
    assert density.sites["slope"].deterministic
    assert density.dim == 1


def test_block_hides_from_outside_only() -> None:
    """Names, a predicate, or everything."""
    for hidden in ("slope", ["slope"], lambda s: s.name == "slope"):
        with trace_sites() as sites, bdl.seed(0), bdl.block(hidden), bdl.substitute(slope=1.0):
            line(X, Y)
        assert list(sites) == ["sigma", "mean", "y"]
    with trace_sites() as sites, bdl.block(), bdl.seed(0):
        line(X, Y)
    assert not sites


def test_mask_and_scale() -> None:
    """Masked rows count as 0, masks meet, scales multiply."""
    law = dist.Normal(np.zeros(3), 1.0)
    value = np.array([0.5, np.nan, 2.0])
    with trace_sites() as sites, bdl.scale(2.0), bdl.mask(np.array([True, False, True])):
        bdl.observe("all", law, value)
        with bdl.mask(np.array([True, True, False])), bdl.scale(3.0):
            bdl.observe("first", law, value)
    terms = law.log_prob(np.array([0.5, 0.0, 2.0]))
    assert float(sites["all"].log_density()) == pytest.approx(2.0 * (terms[0] + terms[2]))
    assert float(sites["first"].log_density()) == pytest.approx(6.0 * terms[0])


def test_a_mask_may_not_enlarge_a_density() -> None:
    """It would count rows twice."""
    with trace_sites() as sites, bdl.mask(np.ones(3, bool)):
        bdl.observe("x", dist.Normal(0.0, 1.0), 0.0)
    with pytest.raises(ShapeError, match="mask"):
        sites["x"].log_density()


def test_trace_sites_refuses_a_second_site_of_one_name() -> None:
    """The error names both lines."""

    def model() -> None:
        bdl.sample("x", dist.Normal(0.0, 1.0))
        bdl.sample("x", dist.Normal(0.0, 1.0))

    with pytest.raises(SiteError, match="two sample statements"):
        trace_sites()(bdl.seed(0)(model))()


def test_wrapping_keeps_what_a_model_is() -> None:
    """Name, coords and arguments survive a handler."""
    wrapped = bdl.condition({"mu": 0.0})(eight_schools)
    assert (wrapped.name, wrapped.argument_names) == ("eight_schools", ("y", "sigma"))
    assert wrapped.coords == eight_schools.coords
    assert "mu" not in build_density(wrapped, (EIGHT_Y, EIGHT_SIGMA)).sites.latent


def test_dropout_masks_the_units_that_enter_layers() -> None:
    """About `rate` of the units are 0, the others grow so that the mean stays."""
    x = np.ones((200, 50))
    net = nn.MLP(hidden=(4,), name="net")
    with bdl.block(), bdl.seed(0), dropout(bdl.random.key(0), 0.25), _Units() as seen:
        net(x)
    first = seen.values["net.0"]
    assert set(np.unique(first)) == {0.0, 1.0 / 0.75}
    # 10⁴ Bernoulli draws: sd 0.0043; 5 sd have a false-alarm rate of 6e-7. Seed 0.
    assert abs(float((first == 0.0).mean()) - 0.25) < 0.0217


class _Units(Handler):
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def after(self, statement: Any) -> None:
        if statement.kind == "units" and statement.value is not None:
            self.values[statement.name] = np.asarray(statement.value)

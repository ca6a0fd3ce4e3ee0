"""What a draw moves, and which of its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl.ir.builder import Builder
from bayesdl.ir.types import ArrayType
from bayesdl.model import as_model
from bayesdl.model._stack import Handler, running
from bayesdl.model._statement import Statement
from bayesdl.model.dependence import Downstream, downstream
from bayesdl.ops._trace import building
from bayesdl.ops.array import Array


class InFlight(Handler):
    """Gives each site an input of a trace."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.values: dict[str, Any] = {}
        self.statements: dict[str, Statement] = {}

    def before(self, statement: Statement) -> None:
        statement.supply = self.value

    def value(self, statement: Statement) -> Any:
        value = self.builder.input(ArrayType(statement.law.batch_shape, np.dtype(np.int64)))
        return self.values.setdefault(statement.name, value)

    def after(self, statement: Statement) -> None:
        self.statements[statement.name] = statement


def found(model: Callable[[], None], whole: tuple[str, ...] = ()) -> dict[str, Downstream]:
    """Of all sites without data, each drawn by its own statement."""
    builder = Builder(Array)
    reader = InFlight(builder)
    with building(builder):
        with running([reader], ()):
            as_model(model)()
        laws = {name: name for name in reader.values}
        return downstream(reader.values, laws, reader.statements, builder, whole)


def chain() -> None:
    with bdl.plate("groups", 2), bdl.plate("rows", 3):
        a = bdl.sample("a", dist.Bernoulli(0.3))
        b = bdl.sample("b", dist.Bernoulli(0.2 + 0.3 * a))
        bdl.sample("y", dist.Normal(b, 1.0), obs=np.zeros((2, 3)))


def test_what_follows_through_another_draw_follows() -> None:
    """`a` moves `y` by way of `b`, of the same group and row."""
    both = ("groups", "rows")
    assert found(chain) == {
        "b": Downstream(("b", "y"), both),
        "a": Downstream(("a", "b", "y"), both),
    }


def across(of: Callable[[Any], Any]) -> Callable[[], None]:
    def model() -> None:
        with bdl.plate("groups", 2), bdl.plate("rows", 3):
            z = bdl.sample("z", dist.Bernoulli(0.3))
            bdl.sample("y", dist.Normal(of(z), 1.0), obs=np.zeros((2, 3)))

    return model


@pytest.mark.parametrize(
    ("of", "plates"),
    [
        (lambda z: 2.0 * z, ("groups", "rows")),
        (lambda z: z[:, ::-1], ("groups",)),
        (lambda z: z.sum(axis=0), ("rows",)),
        (lambda z: z.sum(), ()),
    ],
    ids=["apart", "rows meet", "groups meet", "both meet"],
)
def test_plates_whose_rows_meet_are_left_out(of: Any, plates: Any) -> None:
    assert found(across(of))["z"].plates == plates


def test_what_stands_outside_a_plate_has_no_rows_of_it() -> None:
    def model() -> None:
        with bdl.plate("rows", 3):
            z = bdl.sample("z", dist.Bernoulli(0.3))
        bdl.factor("all", z.sum())

    assert found(model)["z"] == Downstream(("z", "all"), ())


def test_a_scale_that_a_draw_moves_counts_as_its_terms() -> None:
    def model() -> None:
        z = bdl.sample("z", dist.Bernoulli(0.3))
        with bdl.scale(1.0 + z):
            bdl.sample("y", dist.Normal(0.0, 1.0), obs=1.0)

    assert found(model)["z"].statements == ("z", "y")


def test_statements_may_be_kept_whole() -> None:
    assert found(chain, ("y",))["a"].plates == ()

"""NumPy's functions that make, move and join: the table of calls, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base import memory
from bayesdl._base.errors import ArgumentError, CapacityError, ShapeError
from bayesdl.ops import numpy as bnp
from bayesdl.ops.numpy import _promote, _shape
from bayesdl.tracing import trace

from .table import agree, names_of


@pytest.mark.parametrize("name", [*names_of(_shape), "broadcast_shapes", *names_of(bnp)])
def test_as_numpy(name: str) -> None:
    agree(name)


def test_the_table_knows_every_room() -> None:
    """A new module of the surface needs a test file of its own."""
    rooms = {f.__module__.rpartition(".")[2] for f in bnp.FUNCTIONS.values()}
    tested = {"_elementwise", "_indexing", "_products", "_reductions", "_shape", "linalg", "numpy"}
    assert rooms == tested | {"_promote"}
    assert names_of(_promote) == ["broadcast_shapes"]


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match=r"bayesdl\.numpy has no function 'fft'"):
        bnp.fft  # noqa: B018


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bnp.reshape(np.ones(6), (4, 2)), "cannot change the number of elements"),
        (lambda: bnp.broadcast_to(np.ones(3), (2, 4)), "cannot be broadcast|do not broadcast"),
        (lambda: bnp.squeeze(np.ones((2, 3)), 0), "axes of size 1 only"),
        (lambda: bnp.add(np.ones((2, 3)), np.ones(2)), "axis -1: 2 ≠ 3"),
        (lambda: trace(lambda x: bnp.concatenate([x, np.ones((2, 2))]), np.ones((2, 3))), "differ"),
    ],
)
def test_shapes_that_do_not_fit(call, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        call()


def test_padding_has_one_mode() -> None:
    with pytest.raises(ArgumentError, match="no mode 'edge'"):
        bnp.pad(np.ones(2), 1, mode="edge")


def test_an_order_is_not_ignored() -> None:
    with pytest.raises(TypeError, match="order"):
        bnp.reshape(np.ones(4), (2, 2), order="F")


HUGE = 10**12
LONG = np.zeros(10**6)
CALLS = {
    "zeros": lambda: bnp.zeros((HUGE,)),
    "ones": lambda: bnp.ones((10**6, 10**6)),
    "full": lambda: bnp.full((HUGE,), 2.0),
    "arange": lambda: bnp.arange(HUGE),
    "linspace": lambda: bnp.linspace(0.0, 1.0, HUGE),
    "eye": lambda: bnp.eye(10**6),
    "broadcast_to": lambda: bnp.broadcast_to(2.0, (HUGE,)),
    "repeat": lambda: bnp.repeat(LONG, 10**6),
    "tile": lambda: bnp.tile(LONG, 10**6),
    "pad": lambda: bnp.pad(LONG, HUGE),
    "outer": lambda: bnp.outer(LONG, LONG),
    "add": lambda: bnp.add(LONG, LONG[:, None]),
    "matmul": lambda: bnp.matmul(LONG[:, None], LONG[None]),
    "concatenate": lambda: bnp.concatenate([np.broadcast_to(0.0, (HUGE,)), LONG]),
}


@pytest.mark.parametrize("name", CALLS)
def test_arrays_too_large_are_refused_before_they_are_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 10**12)
    with pytest.raises(CapacityError, match="an array of shape") as caught:
        CALLS[name]()
    assert caught.value.facts[-1] == ("machine", "1000 GB", "free")
    assert "test_shape.py" in str(caught.value)


def test_arrays_too_large_can_be_traced() -> None:
    """Fused, they are never made."""
    program = trace(lambda x: (bnp.zeros((HUGE,)) + x).sum(), 1.0).program
    assert program.output_types[0].shape == ()

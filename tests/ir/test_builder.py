"""A Program under construction: literals, constants, captures, handles that outlive a trace."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from bayesdl._base.errors import TraceError
from bayesdl.ir.builder import active_builders
from bayesdl.ops import numpy as bnp
from bayesdl.ops._trace import trace_flat
from bayesdl.tracing import trace


def test_scalars_become_literals_and_arrays_constants() -> None:
    program = trace(lambda x: x * 2.0 + np.arange(3.0), np.zeros(3)).program
    assert [e.primitive.name for e in program.equations] == ["mul", "constant", "add"]


def test_one_array_is_one_constant() -> None:
    data = np.arange(3.0)
    program = trace(lambda x: x * data + data, np.zeros(3)).program
    assert [e.primitive.name for e in program.equations].count("constant") == 1


def test_values_of_an_outer_trace_become_inputs() -> None:
    found = []

    def outer(x):
        y = bnp.exp(x)
        found.append(trace(lambda z: z + y + y * x, 1.0))
        return y

    trace(outer, 0.0)
    (inner,) = found
    assert len(inner.program.inputs) == 3
    assert len(inner.captures) == 2


def test_a_finished_trace_leaks_nothing() -> None:
    kept = []
    trace(lambda x: kept.append(x) or x, 1.0)
    with pytest.raises(TraceError, match="an array from a finished trace") as caught:
        trace(lambda x: x + kept[0], 1.0)
    assert "[T103]" in str(caught.value)


def test_flat_traces_capture_nothing() -> None:
    def outer(x):
        return trace_flat(lambda y: [x + y], [x.type], "inner")

    with pytest.raises(TraceError, match="`inner` uses an array of an outer function"):
        trace(outer, 1.0)


def test_builders_are_gone_after_an_error() -> None:
    def broken(x):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        trace(broken, 1.0)
    assert active_builders() == []


def test_threads_have_their_own_builders() -> None:
    seen = []

    def outer(x):
        other = threading.Thread(target=lambda: seen.append(list(active_builders())))
        other.start()
        other.join()
        return x

    trace(outer, 1.0)
    assert seen == [[]]

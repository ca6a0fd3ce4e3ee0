"""What the backend decided, as text."""

from __future__ import annotations

import numpy as np

from bayesdl.ir.types import ArrayType
from bayesdl.lower.llvm import emitted_text
from bayesdl.ops import numpy as bnp
from bayesdl.tracing import trace

X = ArrayType((30,), np.dtype(float))


def test_one_loop_makes_two_sums_and_keeps_nothing_between() -> None:
    def two(x):  # type: ignore[no-untyped-def]
        y = bnp.exp(x)
        return bnp.sum(y), bnp.sum(y * x)

    lines = emitted_text(trace(two, X).program, "fuse").splitlines()
    at = next(i for i, line in enumerate(lines) if "loops over 30" in line)
    made = [line.split(" = ")[1].split()[0] for line in lines[at + 1 : at + 4]]
    assert made == ["exp", "reduce_sum", "reduce_sum"]
    assert not any("to memory" in line for line in lines)


def test_buffers_say_where_they_are() -> None:
    def sorted_twice(x):  # type: ignore[no-untyped-def]
        return bnp.cumsum(bnp.cumsum(x)), x

    text = emitted_text(trace(sorted_twice, X).program, "plan")
    assert "240 bytes of workspace" in text or "256 bytes of workspace" in text
    assert "workspace + 0" in text
    assert "output 0" in text
    assert "output 1 is copied from %a" in text

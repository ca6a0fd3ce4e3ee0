"""Text → object code leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bayesdl.ir.text import from_text
from bayesdl.lower.llvm import effort, optimise
from bayesdl.lower.llvm.effort import ALL, LEAST
from bayesdl.lower.llvm.emit import Unit

TEXT = "program f(%a: f64[3]):\n  %b: f64[3] = tanh %a\n  return %b"
STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not STATM.exists(), reason="this system does not tell")
@pytest.mark.parametrize(("level", "count", "most"), [(ALL, 60, 20_000), (LEAST, 400, 3_000)])
def test_compilations_leave_memory_flat(level: int, count: int, most: int) -> None:
    """A manager of all passes has 130 kB; each compilation used to leave one behind."""
    unit = Unit(from_text(TEXT))
    unit.text()
    (part,) = effort.parts(unit)
    for _ in range(20):
        optimise.object_code(part.text, level)
    before = resident()
    for _ in range(count):
        optimise.object_code(part.text, level)
    assert resident() - before < count * most

"""Numbers too small to be normal count as zero: on some processors each costs a hundred others.

An optimisation makes them by the thousand: a unit that is never active has a gradient of zero, and
Adam's means of that fall by a factor a step until they are subnormal, and stay there. Processors of
the x86 family have two switches for each thread; others need none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .code import Code
from .machine import is_x86

# Results that are subnormal, and operands that are, count as zero (Intel 64 manual, volume 1,
# sections 10.2.3.3 and 10.2.3.4).
FLUSH = 0x8040


@contextmanager
def flushed(code: Code, wanted: bool = True) -> Iterator[None]:
    """What is written inside runs with the switches on; afterwards they are as they were.

    Parameters
    ----------
    code : Code
        Of a function that this thread calls from outside.
    wanted : bool, default True
    """
    if not (wanted and is_x86()):
        yield
        return
    place, before = code.local("i32"), code.local("i32")
    _use(code, "stmxcsr", before)
    bits = code.let(f"load i32, ptr {before}")
    code.do(f"store i32 {code.let(f'or i32 {bits}, {FLUSH}')}, ptr {place}")
    _use(code, "ldmxcsr", place)
    yield
    _use(code, "ldmxcsr", before)


def _use(code: Code, instruction: str, place: str) -> None:
    name = code.module.declare(f"llvm.x86.sse.{instruction}", "void", ["ptr"])
    code.do(f"call void @{name}(ptr {place})")

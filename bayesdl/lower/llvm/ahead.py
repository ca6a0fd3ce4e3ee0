"""Reading ahead: a loop over blocks of rows asks for later rows while it works on these.

A row that is multiplied forward and backward comes from memory in the first of the two, which
waits for it, while nothing comes during all else. The processor's own reading ahead does not mend
that: it follows a stream while it is read, and ends where a page does.
"""

from __future__ import annotations

from math import prod

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var

from .code import Code

LINE = 64  # bytes that come at a time
DISTANCE = 4096  # bytes worked on while one line is on its way from memory
# A processor waits for some twenty lines at once. A turn that reads many times as much asks faster
# than they come, and an array below FAR stays in the second cache.
MOST, FAR = 4096, 512 * 1024


@dataclass(frozen=True, slots=True)
class Window:
    """Rows that each turn of a loop reads, right behind those of the turn before.

    Parameters
    ----------
    source : Var
        Where they are taken from: an input of the loop's body.
    start : Var
        The first of them.
    row, size : int
        Bytes of a row, and of all that a turn reads.
    """

    source: Var
    start: Var
    row: int
    size: int


def windows_of(equation: Equation) -> list[Window]:
    """What the turns of a scan shall ask for: large arrays that they go through from end to end."""
    body, constants = equation.params["body"], equation.params["constants"]
    fixed, grows = body.inputs[:constants], _growth(equation)
    found = []
    for inner in body.equations:
        if inner.primitive.name != "dynamic_slice" or not inner.params["sizes"]:
            continue
        source, start, *_ = inner.inputs
        rows, *rest = inner.params["sizes"]
        row = prod(rest) * source.type.dtype.itemsize
        whole = source.type.shape[1:] == tuple(rest)
        if source in fixed and whole and grows.get(start) == rows:
            found.append(Window(source, start, row, rows * row))
    far = [w for w in found if w.source.type.shape[0] * w.row >= FAR]
    return far if sum(w.size for w in far) <= MOST else []


def _growth(equation: Equation) -> dict[Atom, int]:
    """By how much integers of a scan's carry grow in each turn."""
    body: Program = equation.params["body"]
    carry = body.inputs[equation.params["constants"] :][: equation.params["carry"]]
    made = {v: e for e in body.equations for v in e.outputs}
    found: dict[Atom, int] = {}
    for before, after in zip(carry, body.outputs, strict=False):
        equation_of = made.get(after) if isinstance(after, Var) else None
        if equation_of is not None and equation_of.primitive.name == "add":
            first, step = equation_of.inputs
            if first is before and isinstance(step, Literal) and not before.type.is_float:
                found[before] = int(step.value)
    return found


def fetch(code: Code, pointer: str, start: str, window: Window, part: int, parts: int) -> None:
    """Ask for one of several equal parts of what a later turn reads.

    Nothing happens where that lies behind the array's end: asking for an address never fails.
    """
    lines = -(-window.size // LINE)
    asked = range(lines * part // parts, lines * (part + 1) // parts)
    if not asked:
        return
    name = code.module.declare("llvm.prefetch.p0", "void", ("ptr", "i32", "i32", "i32"))
    first, ahead = code.scale(start, window.row), max(DISTANCE, window.size)
    for line in asked:
        at = code.add(first, str(ahead + LINE * line))
        address = code.let(f"getelementptr i8, ptr {pointer}, i64 {at}")
        # For reading, into the nearest cache, of data.
        code.do(f"call void @{name}(ptr {address}, i32 0, i32 3, i32 1)")

"""How much of LLVM's effort each part of a Program's code is worth."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bayesdl._base.dataclass import dataclass

from .emit import Unit
from .optimise import ALL

# Turns × lines. A loop up to this gains too little from LLVM's loop passes to pay for them in code
# that surrounds the functions where the time goes (docs/design/0005-compile-time.md).
SHORT = 2000
# Up to this they gain little, since loops over up to a thousand numbers are written in registers.
MEDIUM = 8192
# Lines of functions that are worth a module, and so a thread, of their own beside a hot entry:
# LLVM would not write out such long ones where they are called anyway.
LONG = 1000
# Modules at most that the chapters of long Programs are compiled in.
VOLUMES = 4
# Turns × lines, up to which loops around hot ones go without LLVM's loop passes.
HUGE = 1_000_000
# Below `ALL`: light passes with a code generator that takes care of registers, or the quickest.
SOME, LEAST = 1, 0
_INLINED, _CALLED = "alwaysinline nounwind", "noinline nounwind"


@dataclass(frozen=True)
class Part:
    """A module of LLVM IR that is compiled by itself.

    Parameters
    ----------
    text : str
    level : int
        Of LLVM's effort: `ALL`, `SOME` or `LEAST`.
    """

    text: str
    level: int


def parts(unit: Unit) -> list[Part]:
    """The modules that a Program's code is compiled in.

    A Program that is used in several places, as the gradient inside a sampler is, is hot, and so is
    the body of a loop around it. What surrounds them is not, unless it has long loops of its own.
    A Program without such functions is hot as a whole. Modules are compiled side by side, so a hot
    surrounding is one of its own where the functions are long. Chapters of a long Program are
    gathered in a few modules, however many cores there are.

    Parameters
    ----------
    unit : Unit
        Already written.
    """
    *functions, entry = unit.module.functions
    if unit.brief:
        return [_light(unit.module.text(), LEAST)]
    level, long = _around(unit), sum(f.count("\n") for f in functions) >= LONG
    if not functions or (level == ALL and not long):
        return [Part(unit.module.text(), ALL)]
    visible, heads = _apart(functions)
    kernels, kernel_heads = _apart(unit.module.kernels)
    around = unit.module.text([*heads, *kernel_heads, entry])
    rest = Part(around, ALL) if level == ALL else _light(around, level)
    whole = range(len(visible))
    groups = [set(whole)]
    if unit.chapters:
        groups = _volumes(visible)
    elif long and unit.turns:
        # The step of a trajectory is as much work for LLVM as many a gradient.
        groups = [{k} for k in whole]
    texts = [[visible[k] if k in group else heads[k] for k in whole] for group in groups]
    hot = [Part(unit.module.text(text), ALL) for text in texts]
    # Written in registers already, and of no use to LLVM's loop passes.
    return [*hot, *([Part(unit.module.text(kernels), SOME)] if kernels else []), rest]


def _apart(functions: Sequence[str]) -> tuple[list[str], list[str]]:
    """Functions that other modules may call, and what these write of them."""
    visible = [f.replace("define internal ", "define ", 1) for f in functions]
    heads = [re.sub("^define (.*) {$", r"declare \1", f.split("\n", 1)[0]) for f in visible]
    return visible, heads


def _volumes(functions: list[str]) -> list[set[int]]:
    """Functions as groups of about the same length, none below `LONG` but the last."""
    lines = [f.count("\n") for f in functions]
    size, before = max(LONG, -(-sum(lines) // VOLUMES)), 0
    groups: dict[int, set[int]] = {}
    for k, count in enumerate(lines):
        groups.setdefault(before // size, set()).add(k)
        before += count
    return list(groups.values())


def _around(unit: Unit) -> int:
    """What the code around the functions is worth, by its heaviest loop."""
    if unit.entry_loop <= SHORT:
        return LEAST
    return SOME if unit.entry_loop <= (HUGE if unit.turns else MEDIUM) else ALL


def _light(text: str, level: int) -> Part:
    """Code that is called keeps its registers to itself: written out, it would crowd the caller."""
    return Part(text.replace(_INLINED, _CALLED), level)

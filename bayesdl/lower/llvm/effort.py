"""How much of LLVM's effort each part of a Program's code is worth."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .emit import Unit

# Turns × lines. A loop up to this gains too little from LLVM's loop passes to pay for them in code
# that surrounds the functions where the time goes (docs/design/0005-compile-time.md).
SHORT = 2000


@dataclass(frozen=True)
class Part:
    """A module of LLVM IR that is compiled by itself.

    Parameters
    ----------
    text : str
    hot : bool
        Whether it gets all of LLVM's passes.
    """

    text: str
    hot: bool


def parts(unit: Unit) -> list[Part]:
    """The modules that a Program's code is compiled in.

    A Program that is used in several places, as the gradient inside a sampler is, is hot. What
    surrounds it is not, unless it has long loops of its own. A Program without such functions is
    hot as a whole.

    Parameters
    ----------
    unit : Unit
        Already written.
    """
    *functions, entry = unit.module.functions
    if not functions or unit.entry_loop > SHORT:
        return [Part(unit.module.text(), True)]
    visible = [f.replace("define internal ", "define ", 1) for f in functions]
    heads = [re.sub("^define (.*) {$", r"declare \1", f.split("\n", 1)[0]) for f in visible]
    return [
        Part(unit.module.text(visible), True),
        Part(unit.module.text([*heads, entry]), False),
    ]

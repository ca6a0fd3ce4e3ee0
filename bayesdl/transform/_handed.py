"""What a transform hands to the rules that meet sub-programs: itself and its siblings.

A rule for `scan` needs the derivative of its body, and a batched loop needs a trace; both lie above
the vocabulary. So the rules are given this object instead of importing upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType


@dataclass(frozen=True)
class Handed:
    """The transforms, as rules see them.

    Parameters
    ----------
    jvp : callable, (program, active) -> Program
    vjp : callable, (program, active) -> Program
    vmap : callable, (program, batched, size, force) -> (Program, flags)
    trace : callable, (function, types, name) -> Program
    """

    jvp: Callable[[Program, tuple[bool, ...]], Program]
    vjp: Callable[[Program, tuple[bool, ...]], Program]
    vmap: Callable[..., tuple[Program, tuple[bool, ...]]]
    trace: Callable[[Callable[..., Sequence[Any]], Sequence[ArrayType], str], Program]


def forbidden(name: str) -> Callable[..., Any]:
    """The place of a transform that the calling transform has no business using."""

    def rule(*_: Any, **__: Any) -> Any:
        raise AssertionError(f"{name} is not handed to this rule")

    return rule

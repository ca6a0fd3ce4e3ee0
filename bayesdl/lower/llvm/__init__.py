"""The native backend: a Program, control flow included, becomes one function of machine code.

What writes code is loaded when code has to be written: a process that finds its code in the disk
cache does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .lowering import begin_program as begin_program
    from .lowering import compile_program as compile_program
    from .lowering import emitted_text as emitted_text

__all__ = ["begin_program", "compile_program", "emitted_text"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.lowering"), name)

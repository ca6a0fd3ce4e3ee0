"""The model language: statements, handlers, and a model as a density and as a simulator."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from ._definition import Model as Model
from ._definition import as_model as as_model
from ._definition import model as model

__all__ = ["Model", "as_model", "model"]


class _Room(ModuleType):
    # Loading any module of this room makes `bayesdl.model` the room and no longer the decorator of
    # the same name; called, the room therefore is the decorator.
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return model(*args, **kwargs)


sys.modules[__name__].__class__ = _Room

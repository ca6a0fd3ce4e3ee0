"""Every optimiser by name: importing this fills the registry."""

from __future__ import annotations

from ._base import OPTIMISERS
from .adam import Adam, AdamW
from .sgd import SGD

__all__ = ["OPTIMISERS", "SGD", "Adam", "AdamW"]

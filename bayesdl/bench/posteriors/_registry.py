"""Which posteriors there are, and how a model gets in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bayesdl._base.registry import Registry

Data = Mapping[str, Any]
Entry = Callable[[Data], tuple[Any, tuple[Any, ...]]]
POSTERIORS: Registry[Entry] = Registry("posterior")


def posterior(name: str) -> Callable[[Entry], Entry]:
    """Enter a function from posteriordb's data to (model, arguments)."""
    return lambda entry: POSTERIORS.add(name, entry)


def array(data: Data, *names: str) -> Any:
    """One field as numbers, or several as columns."""
    columns = [np.asarray(data[name], dtype=float) for name in names]
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


def indices(data: Data, name: str) -> Any:
    """A field of indices that begin at 1, from 0."""
    return np.asarray(data[name], dtype=np.int64) - 1

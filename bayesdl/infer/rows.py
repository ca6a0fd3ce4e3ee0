"""Rows of a table at a place that is known only while a Program runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesdl.ops import numpy as bnp
from bayesdl.ops.structural import dynamic_slice, dynamic_update_slice


def row(table: Any, at: Any) -> Any:
    """One row of a table, shape (rows, …)."""
    shape = table.shape[1:]
    return bnp.reshape(dynamic_slice(table, at, *_zeros(table), sizes=(1, *shape)), shape)


def with_row(table: Any, value: Any, at: Any) -> Any:
    """The table with another row at a place."""
    place = bnp.reshape(value, (1, *table.shape[1:]))
    return dynamic_update_slice(table, place, at, *_zeros(table))


def _zeros(table: Any) -> list[Any]:
    return [np.int64(0)] * (table.ndim - 1)

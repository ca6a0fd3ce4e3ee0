"""Draws as labelled arrays under ArviZ's names, for ArviZ 0.2x and 1.x."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from bayesdl._base.version import VERSION

Groups = Mapping[str, Mapping[str, np.ndarray[Any, Any]]]
_WITHOUT_DRAWS = ("observed_data", "constant_data")


def to_datatree(
    groups: Groups,
    *,
    dims: Mapping[str, Sequence[str | None]],
    coords: Mapping[str, Sequence[Any]],
    attrs: Mapping[str, Any],
) -> Any:
    """Groups of arrays as an ``xarray.DataTree`` in ArviZ's schema.

    Parameters
    ----------
    groups : mapping of group name to mapping of variable name to array
        Shape (chain, draw, *shape), but for data groups.
    dims : mapping of variable name to names of the axes after chain and draw
        None for an axis without a name, which becomes ``{variable}_dim_{i}``.
    coords : mapping of dim name to labels
    attrs : mapping
        Anything; what is not text, a number or a list of those becomes JSON text, so that saving
        never
        fails.

    Returns
    -------
    xarray.DataTree
    """
    xarray = import_module("xarray")
    safe = _safe(attrs)
    tree = {"/": xarray.Dataset(attrs=safe)}
    for group, variables in groups.items():
        if variables:
            sampled = group not in _WITHOUT_DRAWS
            arrays = {
                n: _labelled(n, v, sampled, dims.get(n, ()), coords) for n, v in variables.items()
            }
            tree[group] = xarray.Dataset(arrays, attrs=safe)
    return xarray.DataTree.from_dict(tree, name="bayesdl")


def to_arviz(tree: Any) -> Any:
    """What the installed ArviZ takes: the tree itself for 1.x, InferenceData for 0.2x."""
    try:
        major = int(version("arviz").split(".")[0])
    except PackageNotFoundError:
        return tree
    return tree if major >= 1 else import_module("arviz").from_datatree(tree)


def _labelled(
    name: str,
    value: np.ndarray[Any, Any],
    sampled: bool,
    dims: Sequence[str | None],
    coords: Mapping[str, Sequence[Any]],
) -> Any:
    xarray = import_module("xarray")
    front = ["chain", "draw"] if sampled else []
    rest = value.ndim - len(front)
    known = list(dims)[-rest:] if rest else []
    names = [*[None] * (rest - len(known)), *known]
    axes = [*front, *(d or f"{name}_dim_{i}" for i, d in enumerate(names))]
    labels = {
        axis: list(coords[axis]) if axis in coords and len(coords[axis]) == n else np.arange(n)
        for axis, n in zip(axes, value.shape, strict=True)
    }
    return xarray.DataArray(value, dims=axes, coords=labels)


def _safe(attrs: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "created_at": datetime.now(UTC).isoformat(),
        "creation_library": "bayesdl",
        "creation_library_version": VERSION,
        "creation_library_language": "Python",
        "inference_library": "bayesdl",
        "inference_library_version": VERSION,
    }
    for name, value in attrs.items():
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        found[name] = value if plain else json.dumps(value, default=str)
    return found

"""Draws as labelled arrays under ArviZ's names, for ArviZ 0.2x and 1.x."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import numpy as np

from bayesdl._base.version import VERSION
from bayesdl._base.versions import versions

Groups = Mapping[str, Mapping[str, np.ndarray[Any, Any]]]
_WITHOUT_DRAWS = ("observed_data", "constant_data", "moments")
# Names that the file format keeps for itself.
_RESERVED = ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "_NCProperties")


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
        never fails.

    Returns
    -------
    xarray.DataTree
    """
    xarray = import_module("xarray")
    # What comes from a file has those of the process that made it.
    safe = _safe({"versions": versions(), **attrs})
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
    metadata = import_module("importlib.metadata")
    try:
        major = int(metadata.version("arviz").split(".")[0])
    except metadata.PackageNotFoundError:
        return tree
    return tree if major >= 1 else import_module("arviz").from_datatree(tree)


def attributes(tree: Any) -> dict[str, Any]:
    """The attributes of a tree that came from a file, as they were given to `to_datatree`."""
    return {str(name): _restored(value) for name, value in tree.attrs.items()}


def _restored(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, str) and (value[:1] in ("{", "[") or value in ("true", "false", "null")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


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
        axis: _labels(coords[axis]) if axis in coords and len(coords[axis]) == n else np.arange(n)
        for axis, n in zip(axes, value.shape, strict=True)
    }
    return xarray.DataArray(value, dims=axes, coords=labels)


def _labels(values: Sequence[Any]) -> list[Any]:
    """Labels of one kind that a file takes; those of several kinds, and dates, as text."""
    found = [v.item() if isinstance(v, np.generic) else v for v in values]
    plain = {type(v) for v in found} in ({str}, {int}, {float}, {bool})
    return found if plain else [str(v) for v in found]


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
        key = str(name).strip() or "unnamed"
        found[f"{key}_" if key in _RESERVED else key] = _attribute(value)
    return found


def _attribute(value: Any) -> Any:
    """A number, text, or a list of one of them, that netCDF takes; anything else as JSON text."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, tuple | list) and len(value) > 1:
        kinds = {type(item) for item in value}
        # A list of one comes back from a file as its element, so only longer ones stay lists.
        if len(kinds) == 1 and all(_is_plain(item) for item in value):
            return list(value)
    return value if _is_plain(value) else _json(value)


def _is_plain(value: Any) -> bool:
    if type(value) is str:
        return "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    return type(value) is float or (type(value) is int and -(2**63) <= value < 2**63)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, default=repr)
    except (TypeError, ValueError):  # keys that are not text; containers that hold themselves
        return json.dumps(repr(value))

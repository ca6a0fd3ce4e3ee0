"""Results on disk: one netCDF file in ArviZ's schema, with what bayesdl needs to go on from it."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source

VERSION = 1
RECORD, ARRAY = "bayesdl_record", "bayesdl_array_"


@dataclass(frozen=True)
class Saved:
    """What a file holds.

    Parameters
    ----------
    tree : xarray.DataTree
        Groups in ArviZ's schema.
    record : dict
        What bayesdl keeps beside them, of values that JSON has.
    arrays : list of array
        What the record refers to by number.
    """

    tree: Any
    record: Mapping[str, Any]
    arrays: Sequence[np.ndarray[Any, Any]]


def save(saved: Saved, path: Any, *, overwrite: bool = False) -> None:
    """Write a netCDF file; it is there as a whole, or not at all.

    Raises
    ------
    ArgumentError
        If the file exists and `overwrite` is false, or its folder does not.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise ArgumentError(
            f"{target.name} exists already.",
            facts=[("path", target)],
            fix="choose another name, or pass overwrite=True.",
            where=user_source(),
            code="E101",
        )
    if not target.parent.is_dir():
        raise ArgumentError(
            "the folder to save in does not exist.",
            facts=[("folder", target.parent)],
            fix="make it first.",
            where=user_source(),
            code="E102",
        )
    whole = _with_record(saved)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        whole.to_netcdf(partial, engine="h5netcdf")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def complete(saved: Saved, path: Any) -> None:
    """Add to a folder of streamed draws what `save` would write beside draws."""
    groups = {f"/{n}": c.to_dataset() for n, c in saved.tree.children.items()}
    zarr = import_module("zarr")
    root = _with_record(saved).to_dataset()
    root.attrs.update(zarr.open_group(str(path), mode="r").attrs)
    for group, dataset in {"/": root, **groups}.items():
        dataset.to_zarr(path, group=group, mode="a", consolidated=False, zarr_format=2)
    zarr.consolidate_metadata(str(path), zarr_format=2)


def load(path: Any) -> Saved:
    """Read what `save` wrote, all of it into memory; of a folder, all but the draws.

    Raises
    ------
    ArgumentError
        If there is no such file, or `save` of this version did not write it.
    """
    target = Path(path)
    if not target.exists():
        raise ArgumentError(
            "there is no such file.",
            facts=[("path", target)],
            fix="check the folder and the name.",
            where=user_source(),
            code="E103",
        )
    if target.is_dir():
        tree = import_module("xarray").open_datatree(target, engine="zarr", chunks=None)
    else:
        with import_module("xarray").open_datatree(target, engine="h5netcdf") as tree:
            tree.load()
    record = _record(tree)
    if record.get("version") != VERSION:
        raise ArgumentError(
            f"{target.name} was not saved by this version of bayesdl.",
            facts=[
                ("path", target),
                ("format", record.get("version", "none of ours")),
                ("known", VERSION),
            ],
            fix="load it with the version that saved it; arviz.from_netcdf reads its draws.",
            where=user_source(),
            code="E110",
        )
    count = sum(str(name).startswith(ARRAY) for name in tree.data_vars)
    return Saved(tree, record, [np.asarray(tree[f"{ARRAY}{i}"].values) for i in range(count)])


def _with_record(saved: Saved) -> Any:
    """The tree with two kinds of variables at its root, where ArviZ does not look."""
    xarray = import_module("xarray")
    text = json.dumps({"version": VERSION, **saved.record})
    packed = np.frombuffer(zlib.compress(text.encode()), np.uint8)
    variables = {RECORD: packed, **{f"{ARRAY}{i}": a for i, a in enumerate(saved.arrays)}}
    root = {
        name: ([f"{name}_dim_{axis}" for axis in range(value.ndim)], value)
        for name, value in variables.items()
    }
    groups = {name: node.to_dataset() for name, node in saved.tree.children.items()}
    return xarray.DataTree.from_dict(
        {"/": xarray.Dataset(root, attrs=saved.tree.attrs), **groups}, name=saved.tree.name
    )


def _record(tree: Any) -> dict[str, Any]:
    if RECORD not in tree.data_vars:
        return {}
    packed = np.asarray(tree[RECORD].values, np.uint8)
    found: dict[str, Any] = json.loads(zlib.decompress(packed.tobytes()))
    return found


def model_reference(function: Any) -> str:
    """``module:qualname`` of a model's function."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{function.__module__}:{name}"


def find_model(reference: str) -> Any:
    """The model that a reference names, or None where it cannot be found."""
    module_name, _, path = reference.partition(":")
    try:
        found: Any = sys.modules.get(module_name) or import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        return None
    return found


def labels(tree: Any) -> dict[str, list[Any]]:
    """Labels along the named dims of a tree; a dim that is only counted has none."""
    found: dict[str, list[Any]] = {}
    for node in tree.children.values():
        for dim, coord in node.coords.items():
            values = coord.values.tolist()
            if values != list(range(len(values))):
                found[str(dim)] = values
    return found

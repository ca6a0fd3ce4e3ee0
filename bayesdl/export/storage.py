"""Results on disk: one netCDF file in ArviZ's schema, with the name of the model."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source


def save_tree(tree: Any, path: Any, *, overwrite: bool = False) -> None:
    """Write a DataTree to a netCDF file.

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
    partial = target.with_name(target.name + ".partial")
    tree.to_netcdf(partial, engine="h5netcdf")
    partial.replace(target)


def load_tree(path: Any) -> Any:
    """Read what `save_tree` wrote, all of it into memory.

    Raises
    ------
    ArgumentError
        If there is no such file.
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
    with import_module("xarray").open_datatree(target, engine="h5netcdf") as tree:
        return tree.load()


def model_reference(function: Any) -> str:
    """``module:qualname`` of a model's function."""
    return f"{function.__module__}:{function.__qualname__}"


def find_model(reference: str) -> Any:
    """The model that a reference names, or None where it cannot be found."""
    module_name, _, path = reference.partition(":")
    try:
        found: Any = sys.modules.get(module_name) or import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
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

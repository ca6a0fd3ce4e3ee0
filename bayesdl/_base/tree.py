"""Nested containers ↔ flat lists: dicts, tuples, lists, named tuples, dataclasses and None."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from .dataclass import dataclass


@dataclass(frozen=True)
class Tree:
    """The shape of a nested container, without its leaves.

    Parameters
    ----------
    kind : type or None
        The container's class; None for a leaf.
    keys : tuple
        Dict keys (sorted) or field names; indices for sequences.
    children : tuple of Tree
        One per key.
    """

    kind: type | None
    keys: tuple[Any, ...] = ()
    children: tuple[Tree, ...] = ()


LEAF = Tree(None)


def flatten(value: Any) -> tuple[list[Any], Tree]:
    """The leaves of a nested container from left to right, and its shape.

    >>> flatten({"b": 1, "a": (2, 3)})[0]
    [2, 3, 1]
    """
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves)


def unflatten(tree: Tree, leaves: Iterable[Any]) -> Any:
    """The inverse of `flatten`."""
    return _unflatten(tree, iter(leaves))


def tree_map(function: Callable[..., Any], first: Any, *rest: Any) -> Any:
    """Apply a function leaf by leaf to containers of one shape."""
    leaves, tree = flatten(first)
    others = []
    for other in rest:
        other_leaves, other_tree = flatten(other)
        if other_tree != tree:
            raise ValueError("tree_map needs containers of one shape")
        others.append(other_leaves)
    return unflatten(tree, [function(*group) for group in zip(leaves, *others, strict=True)])


def _flatten(value: Any, leaves: list[Any]) -> Tree:
    kind = type(value)
    if value is None:
        return Tree(type(None))
    if kind is dict:
        keys = tuple(sorted(value))
        return Tree(dict, keys, tuple(_flatten(value[k], leaves) for k in keys))
    if isinstance(value, (tuple, list)):
        return Tree(kind, tuple(range(len(value))), tuple(_flatten(v, leaves) for v in value))
    if is_dataclass(kind) and getattr(kind, "__tree__", False):
        names = tuple(f.name for f in fields(kind))
        return Tree(kind, names, tuple(_flatten(getattr(value, n), leaves) for n in names))
    leaves.append(value)
    return LEAF


def _unflatten(tree: Tree, leaves: Any) -> Any:
    if tree.kind is None:
        return next(leaves)
    if tree.kind is type(None):
        return None
    children = [_unflatten(child, leaves) for child in tree.children]
    if tree.kind is dict:
        return dict(zip(tree.keys, children, strict=True))
    if tree.kind in (tuple, list):
        return tree.kind(children)
    if issubclass(tree.kind, tuple):
        return tree.kind(*children)
    return tree.kind(**dict(zip(tree.keys, children, strict=True)))

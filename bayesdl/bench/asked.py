"""What the command line asks of a bench: all of it is checked before anything is measured."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from bayesdl._base.errors import ArgumentError, did_you_mean

from .process import installed

DTYPES = ("float64", "float32", "both")
NONE = "none"
PEERS_HELP = f"names joined by commas, or {NONE}"


def chosen(names: str | None, known: Iterable[str], kind: str) -> tuple[str, ...]:
    """Names with commas between, each of them known; all by default.

    Parameters
    ----------
    names : str or None
        As the command line has them.
    known : iterable of str
    kind : str
        Of what is named, for the message.

    Raises
    ------
    ArgumentError
        For an unknown name.

    Examples
    --------
    >>> chosen("b, a", ["a", "b", "c"], "letter"), chosen(None, ["a", "b"], "letter")
    (('b', 'a'), ('a', 'b'))
    """
    listed = list(known)
    wanted = [n.strip() for n in names.split(",")] if names else listed
    for name in wanted:
        if name not in listed:
            guess = did_you_mean(name, listed)
            raise ArgumentError(
                f"there is no {kind} {name!r}.",
                facts=[("known", ", ".join(listed))],
                fix=f"did you mean {guess!r}?" if guess else "use one of them.",
                code="A110",
            )
    return tuple(wanted)


def chosen_peers(options: argparse.Namespace, known: Iterable[str]) -> list[str]:
    """Those of the asked peers that are installed; ``none`` asks for none.

    Raises
    ------
    ArgumentError
        For an unknown name, or if the interpreter for the peers does not run.
    """
    if options.peers in ("", NONE):
        return []
    return installed(options.peers_python, chosen(options.peers, known, "peer of this bench"))


def chosen_dtypes(options: argparse.Namespace, both: tuple[str, str]) -> tuple[str, ...]:
    """The asked dtype; for ``both`` the two in their order.

    Raises
    ------
    ArgumentError
        For an unknown name.
    """
    (name,) = chosen(options.dtype, DTYPES, "dtype")[:1]
    return both if name == "both" else (name,)


def require_least(options: argparse.Namespace, **least: float) -> None:
    """Refuse numbers that are too small.

    Parameters
    ----------
    options : Namespace
    **least : float
        The smallest number for each option; None is not asked for.

    Raises
    ------
    ArgumentError
        If one is smaller, or no number.
    """
    for name, bound in least.items():
        value = getattr(options, name)
        if value is not None and not value >= bound:
            raise ArgumentError(
                f"--{name} must be at least {bound}.",
                facts=[("given", value)],
                fix=f"for example --{name} {max(bound, 1)}.",
                code="A122",
            )


def require_writable(options: argparse.Namespace, *names: str) -> None:
    """Refuse files that cannot be written.

    Parameters
    ----------
    options : Namespace
    *names : str
        Options that name a file, or None.

    Raises
    ------
    ArgumentError
        If one lies in no folder, is a folder, or must not be written.
    """
    for name in names:
        path = getattr(options, name)
        if path is None:
            continue
        file = Path(path)
        place = file if file.exists() else file.absolute().parent
        if file.is_dir() or not place.exists() or not os.access(place, os.W_OK):
            raise ArgumentError(
                f"the file of --{name} cannot be written.",
                facts=[("given", path), ("folder", "exists" if place.exists() else "is missing")],
                fix="give a file in a folder that exists and can be written.",
                code="A122",
            )


def require_picture(path: str | None) -> None:
    """Refuse a picture that Matplotlib could not save under this name.

    Raises
    ------
    ArgumentError
        If Matplotlib is not installed, or does not know the ending.
    """
    if path is None:
        return
    if find_spec("matplotlib") is None:
        raise ArgumentError(
            "--plot needs matplotlib.", fix="pip install 'bayesdl[plot]'.", code="A103"
        )
    kinds = import_module("matplotlib.backend_bases").FigureCanvasBase.get_supported_filetypes()
    ending = Path(path).suffix.removeprefix(".")
    # Without an ending Matplotlib appends that of its own default.
    if ending and ending.lower() not in kinds:
        raise ArgumentError(
            f"there is no kind of picture {ending!r}.",
            facts=[("known", ", ".join(sorted(kinds)))],
            fix="for example --plot picture.png.",
            code="A110",
        )

"""Settings with names or ranges, read alike by every method that optimises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.source import user_source

from .optim._checked import is_number

Choices = Mapping[str, Any]


def with_records(who: str, settings: Mapping[str, Any], named: Mapping[str, Choices]) -> Any:
    """Settings with records in place of names.

    Parameters
    ----------
    who : str
        The method, for messages.
    settings : mapping of str to value
    named : mapping of str to mapping of str to callable
        By setting: what makes the record of each name.

    Returns
    -------
    dict

    Raises
    ------
    ArgumentError
        If there is no such name, or the setting is a class in place of a record.
    """
    found = dict(settings)
    for name, known in named.items():
        given = settings.get(name)
        if isinstance(given, str):
            found[name] = choice(who, name, given, known)()
        elif isinstance(given, type):
            raise wrong(who, name, given.__name__, "records", f"write {given.__name__}().")
    return found


def choice(who: str, what: str, given: str, known: Choices) -> Any:
    """The record of a name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if given in known:
        return known[given]
    guess = did_you_mean(given, known)
    fix = f"did you mean {guess!r}?" if guess else "use one of them."
    raise wrong(who, what, given, ", ".join(known), fix)


def check_kinds(who: str, settings: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Refuse settings that are no records of their kinds.

    Raises
    ------
    ArgumentError
    """
    for name, kind in kinds.items():
        given = settings.get(name)
        if given is not None and not isinstance(given, kind):
            names = [k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,))]
            known = f"a name, or a record: {', '.join(names)}"
            raise wrong(who, name, repr(given), known, f"leave {name} out.")


def check_numbers(
    who: str, settings: Mapping[str, Any], above_zero: tuple[str, ...], whole: Mapping[str, int]
) -> None:
    """Refuse numbers out of range; None stands for a setting that is left out.

    Parameters
    ----------
    who : str
    settings : mapping of str to value
    above_zero : tuple of str
        Settings that are numbers above 0.
    whole : mapping of str to int
        Settings that are whole numbers, and the least of each.

    Raises
    ------
    ArgumentError
    """
    for name in above_zero:
        given = settings.get(name)
        if given is not None and not (is_number(given) and given > 0):
            raise wrong(who, name, repr(given), "a number above 0", f"leave {name} out.")
    for name, least in whole.items():
        given = settings.get(name)
        if given is not None and not (is_number(given, whole=True) and given >= least):
            known = f"whole numbers from {least} on"
            raise wrong(who, name, repr(given), known, f"leave {name} out.")


def wrong(who: str, what: str, given: Any, known: str, fix: str) -> ArgumentError:
    """The error of a setting that a method does not have."""
    return ArgumentError(
        f"{who} has no such {what}.",
        facts=[("given", given), ("known", known)],
        fix=fix,
        where=user_source(),
        code="A108",
    )

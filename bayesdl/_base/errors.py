"""The error tree, and the one layout in which every message is written.

BayesdlError
├── TraceError        the model's Python could not become a Program
│   ├── ShapeError    shapes do not fit together
│   ├── DtypeError    a dtype does not fit
│   └── ConcreteError a number was needed, an array in flight was there
├── ModelError        the statistical statement is wrong
│   ├── SiteError     about a named site
│   ├── SupportError  a value outside a distribution's support
│   └── ClosedFormError  a distribution has no formula for what was asked
├── ArgumentError     an argument of a public function is unknown or out of range
├── CapacityError     more memory is needed than there is
├── CompileError      a pass or a backend failed: our fault; the message carries the Program as text
└── SampleError       a run could not start or go on
    └── RunError      it stopped on its way; what it had drawn is in `posterior`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from .source import Source


class BayesdlError(Exception):
    """Base of every error that bayesdl raises on purpose.

    The message has one layout: headline, facts (aligned so that the eye finds the difference), fix,
    where (the user's own line), code (a page of the documentation).

    Parameters
    ----------
    headline : str
        What could not be done, in the user's words.
    facts : sequence of rows, optional
        Rows of equal length; cells are lined up in columns.
    note : str, optional
        One sentence that reads the facts.
    fix : str, optional
        Something to type.
    where : Source, optional
        The user's file, line and code.
    code : str, optional
        A letter and three digits, for example ``T101``.
    """

    def __init__(
        self,
        headline: str,
        *,
        facts: Iterable[Sequence[object]] = (),
        note: str | None = None,
        fix: str | None = None,
        where: Source | None = None,
        code: str | None = None,
    ) -> None:
        self.headline = headline
        self.facts = [tuple(str(cell) for cell in row) for row in facts]
        self.note, self.fix, self.where, self.code = note, fix, where, code
        Exception.__init__(self, headline)

    def __str__(self) -> str:
        lines = [self.headline, *_aligned(self.facts)]
        if self.note:
            lines.append(f"  {self.note}")
        if self.fix:
            lines.append(f"  Fix: {self.fix}")
        if self.where is not None:
            lines.append(f"  At {self.where}")
        if self.code:
            lines.append(f"  [{self.code}]")
        return "\n".join(lines)


class TraceError(BayesdlError):
    """The model's Python could not become a Program."""


class ShapeError(TraceError):
    """Shapes do not fit together."""


class DtypeError(TraceError):
    """A dtype does not fit."""


class ConcreteError(TraceError):
    """A number was needed where an array in flight was found."""


class ModelError(BayesdlError):
    """The statistical statement is wrong."""


class SiteError(ModelError):
    """A named site is wrong or missing."""


class SupportError(ModelError):
    """A value lies outside a distribution's support."""


class ClosedFormError(ModelError, NotImplementedError):
    """A distribution has no formula for what was asked of it."""


class ArgumentError(BayesdlError, ValueError):
    """An argument of a public function is unknown, of the wrong kind or out of range."""


class CapacityError(BayesdlError, MemoryError):
    """More memory is needed than the machine has free."""


class CompileError(BayesdlError):
    """A pass or a backend failed; the message carries the Program."""


class SampleError(BayesdlError):
    """A run could not start or could not go on."""


class RunError(SampleError):
    """A run stopped on its way; what it had drawn is in `posterior`, None before the first draw."""

    posterior: object = None


def did_you_mean(
    name: str, candidates: Iterable[str], synonyms: dict[str, str] | None = None
) -> str | None:
    """The candidate that the user probably meant, or None."""
    known = list(candidates)
    if synonyms and synonyms.get(name) in known:
        return synonyms[name]
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else None


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    width = max((len(row) for row in rows), default=0)
    columns = [max((len(r[i]) for r in rows if i < len(r)), default=0) for i in range(width)]
    return [
        ("    " + "  ".join(cell.ljust(columns[i]) for i, cell in enumerate(row))).rstrip()
        for row in rows
    ]

"""What all benches print and write."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl._base.version import VERSION


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean logarithm.

    Examples
    --------
    >>> round(geometric_mean([1.0, 4.0]), 6)
    2.0
    """
    return math.exp(sum(math.log(v) for v in values) / len(values))


def chosen(names: str | None, known: Iterable[str]) -> tuple[str, ...]:
    """Names from the command line, each of them known.

    Raises
    ------
    ArgumentError
        For an unknown name.
    """
    listed = list(known)
    wanted = [n.strip() for n in names.split(",")] if names else listed
    for name in wanted:
        if name not in listed:
            guess = did_you_mean(name, listed)
            raise ArgumentError(
                f"there is no bench model {name!r}.",
                facts=[("known", ", ".join(listed))],
                fix=f"did you mean {guess!r}?" if guess else "use one of them.",
                where=user_source(),
                code="A110",
            )
    return tuple(wanted)


def finish(file: str | None, figures: Any) -> None:
    """Write all figures as JSON, with what they were measured on, if a file is named."""
    if file is None:
        return
    about = {"bayesdl": VERSION, "python": platform.python_version(), "system": platform.platform()}
    Path(file).write_text(json.dumps({"about": about, "runs": figures}, indent=1))
    print(f"figures in {file}")

"""The user's own file and line: what every equation remembers and every error points at."""

from __future__ import annotations

import linecache
import os
import sys
import warnings

from .dataclass import dataclass

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_EXAMPLES = (os.path.join(_PACKAGE, "cli", "demo.py"), os.path.join(_PACKAGE, "bench", ""))
_OURS: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Source:
    """A line of the user's code.

    Parameters
    ----------
    file : str
        Path of the file as Python knows it.
    line : int
        Line number, from 1.
    """

    file: str
    line: int

    @property
    def text(self) -> str:
        """The code on that line, without its indentation; empty when the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        place = f"{os.path.basename(self.file)}:{self.line}"
        return f"{place}:  {self.text}" if self.text else place

    @property
    def short(self) -> str:
        """``file:line`` alone."""
        return f"{os.path.basename(self.file)}:{self.line}"


def user_source() -> Source | None:
    """The innermost frame that is neither ours nor a library's: the user's line."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        ours = _OURS.get(file)
        if ours is None:
            ours = _OURS[file] = _is_library(file)
        if not ours:
            return Source(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def warn_user(message: str, category: type[Warning] = RuntimeWarning) -> None:
    """Warn at the user's line, however deep the call."""
    place = user_source() or Source(__file__, 0)
    warnings.warn_explicit(message, category, place.file, place.line)


def _is_library(file: str) -> bool:
    path = os.path.abspath(file)
    if path.startswith(_PACKAGE):
        # Models inside the package are user code as far as messages go.
        return not path.startswith(_EXAMPLES)
    return (
        file.startswith("<frozen")
        or f"{os.sep}site-packages{os.sep}" in path
        or (path.startswith(os.path.dirname(os.path.abspath(os.__file__)) + os.sep))
    )

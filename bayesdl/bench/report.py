"""What all benches print and write."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bayesdl._base.version import VERSION


def geometric_mean(values: Sequence[float]) -> float:
    """exp of the mean logarithm.

    Examples
    --------
    >>> round(geometric_mean([1.0, 4.0]), 6)
    2.0
    """
    return math.exp(sum(math.log(v) for v in values) / len(values))


def finish(file: str | None, figures: Any) -> None:
    """Write all figures as JSON, with what they were measured on, if a file is named."""
    if file is None:
        return
    about = {"bayesdl": VERSION, "python": platform.python_version(), "system": platform.platform()}
    Path(file).write_text(json.dumps({"about": about, "runs": figures}, indent=1))
    print(f"figures in {file}")

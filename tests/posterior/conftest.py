"""The reference posteriors: a folder `shared/data` beside the checkout, or a skip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "posteriordb"


def load(name: str, file: str) -> Any:
    """One JSON file of a posterior, or a skip that says what is missing."""
    path = FOLDER / name / file
    if not path.exists():
        pytest.skip(f"no {file} of {name} in ../shared/data/posteriordb")
    return json.loads(path.read_text())

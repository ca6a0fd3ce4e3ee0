"""The reference posteriors: $BAYESDL_DATA, else `shared/data` beside the checkout, else a skip."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("BAYESDL_DATA", BESIDE)) / "posteriordb"


def load(name: str, file: str) -> Any:
    """One JSON file of a posterior, or a skip that says what is missing."""
    path = FOLDER / name / file
    if not path.exists():
        pytest.skip(f"no {file} of {name} under {FOLDER}")
    return json.loads(path.read_text())

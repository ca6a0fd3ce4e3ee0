"""The package as a command."""

from __future__ import annotations

import subprocess
import sys


def test_the_package_is_the_command() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "bayesdl", "--help"], capture_output=True, text=True, check=True
    )
    assert "doctor" in found.stdout

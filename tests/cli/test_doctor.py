"""``bayesdl doctor`` names what a bug report needs."""

from __future__ import annotations

import pytest

from bayesdl.cli import main


def test_doctor_prints_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    words = ("bayesdl", "numpy", "llvmlite", "usable cores", "backend", "cache", "blas", "CPU")
    for word in (*words, "memory free", "derive", "optimise", "link", "sum"):
        assert word in printed

"""The versions named are those of what a result depends on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy

from bayesdl._base.versions import PACKAGES, versions


def test_versions_are_those_of_all_that_the_package_depends_on() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=\[ ]", one)[0] for one in project["dependencies"]}
    assert set(PACKAGES) == needed
    assert set(versions()) == needed | {"python"}
    assert versions()["numpy"] == numpy.__version__

"""The README's Python runs as it stands, but for the number of draws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.pages import ROOT, Session

# What the README leaves to the reader: data, new rows, and a function.
SETUP = """
import numpy as np

generator = np.random.default_rng(0)
x = generator.normal(size=(20, 2))
y = x[:, 0] + 0.1 * generator.normal(size=20)
x_new, x_test, y_test = x[:3], x[3:9], y[3:9]
xs = x[:4]


def f(x):
    return np.sum(np.sin(x) * x)
"""


@pytest.mark.slow
@pytest.mark.ci
def test_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One module from top to bottom; nothing is printed and nothing raised."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    session = Session()
    session.run(SETUP, "setup.py")
    # The second block takes a point where the first took rows.
    places = ["", "x = x[0]"]
    assert len(blocks) == len(places)
    for block, place in zip(blocks, places, strict=True):
        few = re.sub(r"draws=1000, tune=1000", "draws=20, tune=20, progressbar=False", block)
        few = few.replace('method="advi"', 'method="advi", draws=20, tune=50, progressbar=False')
        assert session.run(few.replace("bdl.grad(f)(x)", f"{place}\nbdl.grad(f)(x)")) == ""
    assert "tune=20" in "".join(session.lines)


def test_a_block_that_fails_is_noticed() -> None:
    """The control: an error of ours is text, any other is raised."""
    assert "ArgumentError" in Session().run("import bayesdl as bdl\nbdl.load('none.nc')\n")
    with pytest.raises(NameError):
        Session().run("nothing\n")

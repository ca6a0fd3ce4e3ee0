"""Methods are known by name, and loaded one by one."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import bayesdl
from bayesdl.infer import kernel
from bayesdl.infer.methods import HOMES, KERNELS


def test_every_kernel_of_the_package_is_listed_under_its_own_name() -> None:
    folder = Path(bayesdl.__file__).parent
    for file in (folder / "infer").rglob("*.py"):
        place = file.relative_to(folder.parent).with_suffix("")
        import_module(".".join(place.parts))
    ours = {n for n, kind in kernel.KERNELS.items() if kind.__module__.startswith("bayesdl.")}
    assert ours == set(HOMES)
    assert all(KERNELS[name].name == name for name in HOMES)
    assert len(KERNELS) == len(list(KERNELS)) == len(kernel.KERNELS)


def test_a_method_that_is_not_there() -> None:
    assert "nothing" not in KERNELS
    with pytest.raises(KeyError, match="no method named 'nothing'"):
        KERNELS["nothing"]


def test_one_method_does_not_load_another() -> None:
    code = (
        "import sys; from bayesdl.infer.methods import KERNELS; KERNELS['nuts']; "
        "print(*(m for m in sys.modules if '.vi.' in m or '.deep.' in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

"""The processor that code is made for: a name that LLVM would end the process over is refused."""

from __future__ import annotations

import pytest

from bayesdl._base.config import config
from bayesdl._base.errors import ArgumentError
from bayesdl.lower.llvm.machine import processor, target_machine


@pytest.fixture(autouse=True)
def _x86() -> None:
    if not target_machine().triple.startswith("x86_64"):
        pytest.skip("another kind of processor")


@pytest.mark.parametrize("name", ["x86-64", "haswell"])
def test_a_processor_that_llvm_knows(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(config, "cpu", name)
    assert processor() == name


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("nonsense", "leave BAYESDL_CPU unset for code for this processor."),
        ("haswel", "BAYESDL_CPU=haswell, or leave it unset for code for this processor."),
        # A name that LLVM knows, of a processor without 64 bits; and what lists all names.
        ("i386", "leave BAYESDL_CPU unset for code for this processor."),
        ("help", "leave BAYESDL_CPU unset for code for this processor."),
    ],
)
def test_one_that_it_does_not(monkeypatch: pytest.MonkeyPatch, name: str, fix: str) -> None:
    monkeypatch.setattr(config, "cpu", name)
    with pytest.raises(ArgumentError) as caught:
        target_machine()
    assert str(caught.value).splitlines() == [
        f"LLVM makes no code for the processor {name!r}.",
        f"    BAYESDL_CPU  {name}",
        f"  Fix: {fix}",
        "  [A120]",
    ]

"""What does not fit is refused with the numbers."""

from __future__ import annotations

import pytest

from bayesdl._base import memory
from bayesdl._base.errors import CapacityError


def test_there_is_some_memory() -> None:
    free = memory.free_memory()
    assert free is None or 0 < free < 2**50


def test_refusal_tells_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 10**9)
    memory.require_memory("a call", {"outputs": 10**9, "workspace": 10**9}, {"inputs": 10**12})
    with pytest.raises(CapacityError, match="a call needs more memory than is free") as caught:
        memory.require_memory("a call", {"outputs": 10**9, "workspace": 10**9 + 1}, {"inputs": 5})
    text = str(caught.value)
    for row in (
        "inputs     5 bytes  in memory",
        "workspace  1 GB     to allocate",
        "2 GB     free",
    ):
        assert row in text
    assert isinstance(caught.value, MemoryError)


def test_an_unknown_machine_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.require_memory("a call", {"outputs": 2**60}, {})


def test_small_wants_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 0)
    memory.require_memory("a call", {"outputs": memory.CAREFUL}, {})


def test_an_array_is_refused_with_what_making_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * 10**9)
    memory.require_array((10**9,), 8)
    memory.require_array((0, 10**12), 8, beside=9.0)
    with pytest.raises(CapacityError, match=r"an array of shape \(1000, 1000001\) needs") as caught:
        memory.require_array((1000, 1000001), 8)
    assert caught.value.facts[0] == ("numbers", "8 GB", "to allocate")
    with pytest.raises(CapacityError) as caught:
        memory.require_array((10**9,), 2, beside=3.5)
    assert caught.value.facts[1] == ("on the way", "7 GB", "to allocate")
    assert caught.value.code == "C104"

"""Rooms load a member when it is asked for, and their registries know all of them."""

from __future__ import annotations

import json.decoder
import subprocess
import sys

import pytest

from bayesdl import bijectors, dist, nn
from bayesdl._base.lazy import lazily
from bayesdl._base.registry import Registry


def loaded(code: str) -> set[str]:
    """The package's modules that a fresh process has after some code."""
    code += "\nimport sys; print(*[n for n in sys.modules if n.startswith('bayesdl.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_a_process_loads_the_members_that_it_uses() -> None:
    found = loaded("from bayesdl import dist, nn; dist.Poisson; from bayesdl.dist import Beta")
    assert {"bayesdl.dist.poisson", "bayesdl.dist.beta"} <= found
    assert not found & {"bayesdl.dist.mixture", "bayesdl.dist.gamma", "bayesdl.nn.conv"}


def test_a_registry_lists_what_was_not_loaded_and_finds_it() -> None:
    code = "from bayesdl.dist import DISTRIBUTIONS as known\n"
    assert "bayesdl.dist.gamma" in loaded(code + "known['InverseGamma']")
    assert "bayesdl.dist.mixture" not in loaded(code + "known['InverseGamma']")
    assert "bayesdl.dist.mixture" in loaded(code + "assert len(known) > 20")
    assert list(dist.DISTRIBUTIONS) == sorted(dist.DISTRIBUTIONS)
    with pytest.raises(KeyError, match="did you mean 'Normal'"):
        dist.DISTRIBUTIONS["Normal2"]


@pytest.mark.parametrize("room", [bijectors, dist, nn])
def test_all_members_are_there_and_shown(room) -> None:
    for name in room.__all__:
        assert getattr(room, name) is not None
        assert name in dir(room)
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        assert room.absent


def test_a_member_is_looked_up_once(monkeypatch) -> None:
    room = sys.modules[__name__]
    monkeypatch.setattr(room, "JSONDecoder", None, raising=False)
    monkeypatch.setitem(sys.modules, f"{__name__}.decoder", json.decoder)
    get, names = lazily(__name__, {"JSONDecoder": "decoder"})
    assert get("JSONDecoder") is json.decoder.JSONDecoder is vars(room)["JSONDecoder"]
    assert "JSONDecoder" in names()


def test_a_registry_without_a_room_keeps_its_order() -> None:
    known: Registry[int] = Registry("thing")
    known.add("b", 1)
    known.add("a", 2)
    assert list(known) == ["b", "a"]
    with pytest.raises(ValueError, match="declared twice"):
        known.add("a", 3)

"""The switches come from the environment, and from nowhere else."""

from __future__ import annotations

import pytest

from bayesdl._base.config import Config, user_cache_folder
from bayesdl._base.errors import ArgumentError


def test_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAYESDL_CHECK", "0")
    monkeypatch.setenv("BAYESDL_DUMP", "trace, asm")
    monkeypatch.setenv("BAYESDL_CACHE", "/some/where")
    monkeypatch.setenv("BAYESDL_CACHE_MEGABYTES", "7")
    monkeypatch.setenv("BAYESDL_CPU", "x86-64")
    found = Config.from_environment()
    assert (found.check, found.dump) == (False, frozenset(["trace", "asm"]))
    assert (found.cache, found.cache_megabytes, found.cpu) == ("/some/where", 7, "x86-64")


def test_a_size_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAYESDL_CACHE_MEGABYTES", "2 GB")
    with pytest.raises(ArgumentError, match="must be a whole number") as caught:
        Config.from_environment()
    assert caught.value.code == "A120"


@pytest.mark.parametrize(
    ("system", "env", "expected"),
    [
        ("linux", {}, "/home/me/.cache/bayesdl"),
        ("linux", {"XDG_CACHE_HOME": "/fast"}, "/fast/bayesdl"),
        ("darwin", {"XDG_CACHE_HOME": "/fast"}, "/home/me/Library/Caches/bayesdl"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/bayesdl"),
    ],
)
def test_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, system: str, env: dict[str, str], expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert user_cache_folder(env, system) == expected


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert user_cache_folder({}, "linux") == "off"

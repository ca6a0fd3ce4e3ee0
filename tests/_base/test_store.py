"""A store keeps what it is given, bounded, and never hands out what was damaged."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bayesdl._base.store import MAGIC, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "made" / "later"), limit=10_000)


def path_of(store: Store, key: str) -> Path:
    return Path(store.folder, key + ".bdl")


def test_round_trip(store: Store) -> None:
    assert store.get("a") is None
    assert store.entries() == []
    store.put("a", b"one")
    store.put("a", b"two")
    store.put("b", b"")
    assert (store.get("a"), store.get("b")) == (b"two", b"")
    assert {e.key for e in store.entries()} == {"a", "b"}
    assert sorted(os.listdir(store.folder)) == ["a.bdl", "b.bdl"]
    assert store.clear() == 2
    assert (store.get("a"), store.entries()) == (None, [])


@pytest.mark.parametrize("damage", ["cut", "bit", "foreign", "empty", "longer"])
def test_a_damaged_file_is_removed(store: Store, damage: str) -> None:
    store.put("a", bytes(range(200)))
    path = path_of(store, "a")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    spoilt = {
        "cut": whole[:-1],
        "bit": bytes(flipped),
        "foreign": b"not ours at all, but long enough to hold a digest" * 3,
        "empty": b"",
        "longer": whole + b"x",
    }
    path.write_bytes(spoilt[damage])
    assert store.get("a") is None
    assert not path.exists()
    store.put("a", b"again")
    assert store.get("a") == b"again"


def test_another_format_is_foreign(store: Store) -> None:
    store.put("a", b"content")
    path = path_of(store, "a")
    path.write_bytes(MAGIC[:-1] + b"\x02" + path.read_bytes()[len(MAGIC) :])
    assert store.get("a") is None


def test_the_least_recently_used_go_first(store: Store) -> None:
    for i, key in enumerate("abc"):
        store.put(key, b"x" * 3000)
        os.utime(path_of(store, key), (i, i))
    assert store.get("a") is not None  # used now, so that b is the oldest
    store.put("d", b"x" * 3000)
    assert {e.key for e in store.entries()} == {"a", "c", "d"}


def test_looking_is_no_use(store: Store) -> None:
    store.put("a", b"x")
    os.utime(path_of(store, "a"), (5, 5))
    store.get("a", touch=False)
    assert store.entries()[0].used == 5


def test_what_is_larger_than_the_store_is_not_kept(store: Store) -> None:
    store.put("a", b"small")
    store.put("b", b"x" * 20_000)
    assert [e.key for e in store.entries()] == ["a"]


def test_what_is_removed_and_what_cannot_be(store: Store) -> None:
    store.put("a", b"x")
    assert (store.remove("a"), store.remove("a"), store.entries()) == (True, True, [])
    store.put("b", b"x")
    path_of(store, "stuck").mkdir()
    assert store.remove("stuck") is False
    assert store.clear() == 1
    assert [e.key for e in store.entries()] == ["stuck"]


def test_parts_of_dead_processes_are_swept(store: Store) -> None:
    store.put("a", b"x")
    old, young = (Path(store.folder, f"{n}.bdl.1.1.part") for n in ("old", "young"))
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    store.put("b", b"x")
    assert (old.exists(), young.exists()) == (False, True)
    assert {e.key for e in store.entries()} == {"a", "b"}


def test_many_writers_and_readers(store: Store) -> None:
    """A reader sees one writer's content or nothing, never a mixture."""
    contents = [bytes([i]) * 500 for i in range(8)]

    def work(i: int) -> bool:
        store.put("a", contents[i])
        return store.get("a") in contents

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, list(range(8)) * 20))
    assert os.listdir(store.folder) == ["a.bdl"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(str(tmp_path / "file" / "folder"), limit=100)
    with pytest.raises(OSError, match="file"):
        store.put("a", b"x")
    assert (store.get("a"), store.entries(), store.clear()) == (None, [], 0)

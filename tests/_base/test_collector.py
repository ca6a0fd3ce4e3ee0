"""The collector is held back, and then as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from bayesdl._base.collector import uncollected


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    gc.enable()


def test_is_held_back_and_restored() -> None:
    """Nested, and where something fails."""
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="no"), uncollected():
        raise ValueError("no")
    assert gc.isenabled()


def test_stays_off_where_it_was_off() -> None:
    """That is the user's decision."""
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()

"""The collector of garbage rests where it is told to, and nowhere else."""

from __future__ import annotations

import gc
import threading

import pytest

from bayesdl._base.pause import garbage_later


def _fail_inside() -> None:
    with garbage_later():
        with garbage_later():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise ValueError("inside")


def test_nested_and_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="inside"):
        _fail_inside()
    assert gc.isenabled()


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with garbage_later():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_last_of_several_threads_turns_it_on() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with garbage_later():
            inside.set()
            leave.wait(10.0)

    thread = threading.Thread(target=other)
    with garbage_later():
        thread.start()
        assert inside.wait(10.0)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()

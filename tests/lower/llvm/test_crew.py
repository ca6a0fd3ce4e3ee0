"""Threads that help a native call."""

from __future__ import annotations

import threading

from bayesdl.lower.llvm.crew import NEXT, SHARES, Crew


def test_a_crew_without_work_waits_and_is_dismissed() -> None:
    before = set(threading.enumerate())
    crew = Crew(3)
    assert crew.address % 64 == 0
    threads = set(threading.enumerate()) - before
    assert len(threads) == 3
    assert crew._words[NEXT] == SHARES
    crew.dismiss()
    assert not any(thread.is_alive() for thread in threads)

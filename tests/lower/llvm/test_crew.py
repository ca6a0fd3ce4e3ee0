"""Threads that help a native call."""

from __future__ import annotations

import threading

from bayesdl.lower.llvm.crew import NEXT, SHARES, Crew


def test_a_crew_without_work_waits_and_is_dismissed() -> None:
    before = threading.active_count()
    crew = Crew(3)
    assert crew.address % 64 == 0
    assert threading.active_count() == before + 3
    assert crew._words[NEXT] == SHARES
    crew.dismiss()
    assert threading.active_count() == before

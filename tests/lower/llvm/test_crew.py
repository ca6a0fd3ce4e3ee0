"""Threads that help a native call."""

from __future__ import annotations

import threading

from bayesdl.lower.llvm.crew import NEXT, SHARES, WORK, WORKER, Crew
from bayesdl.lower.llvm.effort import LEAST
from bayesdl.lower.llvm.link import ENTRY, Linked
from bayesdl.lower.llvm.optimise import object_code

TEXT = f"""declare i32 @sched_yield()
define void @{ENTRY}(ptr %0, ptr %1, ptr %2) {{
  ret void
}}
{WORKER}"""


def test_a_crew_without_work_waits_and_is_dismissed() -> None:
    linked = Linked([object_code(TEXT, LEAST)[0]], ())
    before = set(threading.enumerate())
    crew = Crew(3, linked.function(WORK, 1))
    assert crew.address % 64 == 0
    threads = set(threading.enumerate()) - before
    assert len(threads) == 3
    assert crew._words[NEXT] == SHARES
    crew.dismiss()
    assert not any(thread.is_alive() for thread in threads)

"""A crew: threads that take shares of one loop after another while a native call runs.

Its memory is a few words of 64 bits: the next turn to take, the turns done, the function and the
table of the loop under way, and whether the crew is dismissed. A turn is taken by one atomic
addition; who takes it does not matter, because each turn writes to a place of its own. No turn of a
loop is left when the next loop begins, so a thread that comes late finds either nothing or that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from bayesdl.lower.rows import SHARES

# Words of a crew, each where no other thread's word lies in the same cache line.
NEXT, DONE, FUNCTION, TABLE, DISMISSED, WORDS = 0, 8, 16, 17, 24, 32
_ADDRESSES = "\n".join(
    f"  %{name} = getelementptr inbounds i64, ptr %crew, i64 {word}"
    for name, word in [("next", NEXT), ("done", DONE), ("function", FUNCTION), ("table", TABLE)]
)
_TAKE = f"""take:
  %turn = atomicrmw add ptr %next, i64 1 acq_rel
  %mine = icmp ult i64 %turn, {SHARES}
  br i1 %mine, label %work, label %rest
work:
  %f = load ptr, ptr %function
  %t = load ptr, ptr %table
  call void %f(ptr %t, i64 %turn)
  %before = atomicrmw add ptr %done, i64 1 acq_rel
  br label %take
"""
# What the thread that comes to the loop does: alone where it has no crew.
LOOP = f"""define internal void @share(ptr %constants, ptr %f0, ptr %t0) noinline nounwind {{
  %crew = load ptr, ptr %constants
  %alone = icmp eq ptr %crew, null
  br i1 %alone, label %serial, label %begin
serial:
  %i = phi i64 [ 0, %0 ], [ %after, %serial ]
  call void %f0(ptr %t0, i64 %i)
  %after = add i64 %i, 1
  %more = icmp ult i64 %after, {SHARES}
  br i1 %more, label %serial, label %end
begin:
{_ADDRESSES}
  store ptr %f0, ptr %function
  store ptr %t0, ptr %table
  store atomic i64 0, ptr %done release, align 8
  store atomic i64 0, ptr %next release, align 8
  br label %take
{_TAKE}rest:
  %count = load atomic i64, ptr %done acquire, align 8
  %all = icmp eq i64 %count, {SHARES}
  br i1 %all, label %end, label %wait
wait:
  %ignored = call i32 @sched_yield()
  br label %rest
end:
  ret void
}}"""
WORK = "bdl_work"
# What every other thread of the crew does until it is dismissed. It comes with the code that has
# such loops, so that a process which finds that code on the disk has this as well.
WORKER = f"""define void @{WORK}(ptr %crew) nounwind {{
{_ADDRESSES}
  %dismissed = getelementptr inbounds i64, ptr %crew, i64 {DISMISSED}
  br label %look
look:
  %at = load atomic i64, ptr %next acquire, align 8
  %some = icmp ult i64 %at, {SHARES}
  br i1 %some, label %take, label %rest
{_TAKE}rest:
  %over = load atomic i64, ptr %dismissed acquire, align 8
  %go = icmp eq i64 %over, 0
  br i1 %go, label %idle, label %end
idle:
  %ignored = call i32 @sched_yield()
  br label %look
end:
  ret void
}}
"""


class Crew:
    """Threads that help the one that makes them, until they are dismissed.

    Parameters
    ----------
    count : int
        How many.
    work : callable, (address) -> None
        What each of them does, without the GIL: `WORKER` as native code.

    Attributes
    ----------
    address : int
        Of its words; what native code finds at the beginning of its table of constants.
    """

    def __init__(self, count: int, work: Callable[[int], None]) -> None:
        memory = np.zeros(WORDS + 8, np.int64)
        start = -memory.ctypes.data % 64 // 8
        self._words = memory[start : start + WORDS]
        self._words[NEXT] = SHARES
        self.address = self._words.ctypes.data
        self._threads = [
            threading.Thread(target=work, args=(self.address,), daemon=True) for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def dismiss(self) -> None:
        """Send the threads home, and wait until they are gone."""
        self._words[DISMISSED] = 1
        for thread in self._threads:
            thread.join()

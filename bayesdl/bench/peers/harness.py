"""What every script of this folder does alike: read a request, time a loop, write a reply."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STEP = 1e-12
# Training goes on for thousands of steps: a loop has so many at least, so that what it costs to
# begin one is not taken for steps.
LEAST_STEPS = 50


def use_cores(count: int) -> None:
    """Keep this process on so many cores, so that no library can use more."""
    pin = getattr(os, "sched_setaffinity", None)
    if pin is not None:
        pin(0, set(sorted(os.sched_getaffinity(0))[-count:]))


def request() -> dict[str, Any]:
    """What the script was asked for."""
    return dict(json.loads(Path(sys.argv[1]).read_text()))


def reply(found: dict[str, Any]) -> None:
    """Report, and end."""
    Path(sys.argv[2]).write_text(json.dumps(found))


def arrays_of(asked: dict[str, Any], case: str, dtype: Any) -> tuple[Any, list[Any]]:
    """Position and data of a case, floats in one dtype."""
    with np.load(asked["arrays"]) as stored:
        names = sorted(
            (n for n in stored.files if n.startswith(f"{case}/data")),
            key=lambda n: int(n.rpartition("data")[2]),
        )
        found = [stored[f"{case}/position"], *(stored[n] for n in names)]
    ready = [a.astype(dtype) if a.dtype.kind == "f" else a for a in found]
    return ready[0], ready[1:]


def median_microseconds(
    run: Callable[[int], Any], repeats: int, seconds: float = 0.02, least: int = 1
) -> tuple[float, float]:
    """Median over repeats of one turn of a loop, and the middle half of the repeats' range.

    Parameters
    ----------
    run : callable, turns -> anything
        Runs so many turns and waits for the end.
    repeats : int
    seconds : float
        What one repeat should take.
    least : int
        Turns of a repeat, however long these take.
    """
    run(1)
    once = _seconds(run, 1)
    few = max(1, min(8, int(seconds / max(once, 1e-9))))
    count = few
    # Twice, for in a few short turns the call itself takes longer.
    for _ in range(2):
        count = max(least, min(1_000_000, int(count * seconds / max(_seconds(run, count), 1e-9))))
    taken = np.array([_seconds(run, count) for _ in range(repeats)]) * 1e6 / count
    low, high = np.quantile(taken, [0.25, 0.75])
    return statistics.median(taken.tolist()), float(high - low)


def measure(make: Callable[[str, Any, list[Any], Any], Any]) -> None:
    """Answer a request for gradients.

    Parameters
    ----------
    make : callable, (case, position, data, dtype) -> (run, both)
        `run(turns)` runs the loop; `both(position)` gives value and gradient.
    """
    asked = request()
    dtype = np.dtype(asked["dtype"])
    found: dict[str, Any] = {}
    for case in asked["cases"]:
        position, data = arrays_of(asked, case, dtype)
        start = time.perf_counter()
        run, both = make(case, position, data, dtype)
        # No turn compiles the loop and touches none of its buffers, so memory is counted from here.
        run(0)
        ready = time.perf_counter() - start
        base = forget_peak() if asked.get("memory") else None
        run(1)
        memory = None if base is None else peak_megabytes() - base
        value, gradient = both(position)
        other, _ = both((0.5 * position).astype(dtype))
        microseconds, spread = median_microseconds(run, asked["repeats"])
        found[case] = {
            "microseconds": microseconds,
            "spread": spread,
            "ready_seconds": ready,
            "difference": float(value) - float(other),
            "gradient": np.asarray(gradient, dtype=float).tolist(),
            "memory_mb": memory,
        }
    reply(found)


def train(make: Callable[[str, str, Any, int], Any]) -> None:
    """Answer a request for training steps.

    Parameters
    ----------
    make : callable, (method, net, dtype, cores) -> (steps, nll) or None
        `steps(count)` makes so many steps, or passes; `nll` is of all rows at the first weights.
        None where the library has nothing of the kind.
    """
    asked = request()
    found: dict[str, Any] = {}
    for case in asked["cases"]:
        method, _, net = case.partition("/")
        start = time.perf_counter()
        made = make(method, net, np.dtype(asked["dtype"]), asked["cores"])
        if made is None:
            continue
        steps, nll = made
        steps(1)
        ready = time.perf_counter() - start
        microseconds, spread = median_microseconds(
            steps, asked["repeats"], asked["seconds"], LEAST_STEPS
        )
        found[case] = {
            "steps_per_second": 1e6 / microseconds,
            "spread": spread / microseconds,
            "ready_seconds": ready,
            "nll": nll,
        }
    reply(found)


def forget_peak() -> float | None:
    """Megabytes in use now, from which the peak is counted anew; None where there is no such count.

    The kernel is asked to forget the old peak; see proc(5), clear_refs.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    except OSError:
        return None


def peak_megabytes() -> float:
    """Peak of the memory in use since `forget_peak`."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":"))


def _seconds(run: Callable[[int], Any], count: int) -> float:
    start = time.perf_counter()
    run(count)
    return time.perf_counter() - start

"""How a gradient is timed: inside one native loop, as a sampler calls it."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.types import ArrayType
from bayesdl.lower.executable import Executable
from bayesdl.model.density import Density, build_density
from bayesdl.ops import numpy as bnp
from bayesdl.pipeline import compile
from bayesdl.tracing import trace
from bayesdl.tracing.flow import while_loop
from bayesdl.transform.derived import value_and_grad

from .models import CASES, Case

# Each call moves the position by so little that no figure changes, and no call can be left out.
STEP = 1e-12
MOST_TURNS = 1_000_000


@dataclass(frozen=True)
class Timing:
    """What one gradient costs, and what it is.

    Parameters
    ----------
    microseconds : float
        Median over repeats of one log density and gradient inside the loop.
    compile_seconds : float
        Trace and compilation of the loop.
    value : float
        Log density at the case's position.
    gradient : list of float
        Its gradient there.
    """

    microseconds: float
    compile_seconds: float
    value: float
    gradient: list[float]


def gradient_time(
    name: str, dtype: Any = np.float64, rows: int | None = None, repeats: int = 15
) -> Timing:
    """Time one log density and gradient of a bench model on this thread.

    Parameters
    ----------
    name : str
        Of a case in `bayesdl.bench.models`.
    dtype : dtype, default float64
    rows : int, optional
        Rows of data; the case's own number if not given.
    repeats : int, default 15
        Loops timed, of about 20 ms each (at least one gradient).

    Returns
    -------
    Timing
    """
    case: Case = CASES[name]
    density = build_density(case.model, case.arguments(rows), {}, dtype=dtype)
    position = case.position().astype(dtype)
    start = time.perf_counter()
    loop = gradient_loop(density)
    compiled = time.perf_counter() - start
    step = np.asarray(STEP, dtype)

    def run(count: int) -> list[Any]:
        return loop(np.asarray(count), position, step, *density.data)

    value, _, gradient = run(1)
    count = _fitting(run)
    seconds = [_seconds(lambda: run(count)) for _ in range(repeats + 2)]
    return Timing(
        1e6 * statistics.median(seconds[2:]) / count, compiled, float(value), gradient.tolist()
    )


def gradient_loop(density: Density) -> Executable:
    """A native loop of gradients.

    Parameters
    ----------
    density : Density

    Returns
    -------
    Executable
        (count, position, step, *data) → (sum of the values, last position, last gradient). Each
        turn moves the position by `step` times the gradient, so that no turn can be hoisted.
    """
    both = value_and_grad(density.function)
    zeros = np.zeros((), density.dtype), np.zeros(density.dim, density.dtype)

    def loop(count: Any, position: Any, step: Any, *data: Any) -> Any:
        def turn(carry: Any) -> Any:
            done, total, here, _ = carry
            value, gradient = both(here, *data)
            return done + 1, total + value, here + step * gradient, gradient

        start = (bnp.zeros((), np.int64), zeros[0], position, zeros[1])
        return while_loop(lambda carry: carry[0] < count, turn, start)[1:]

    types = [ArrayType((), np.dtype(np.int64)), ArrayType((density.dim,), density.dtype)]
    types += [ArrayType((), density.dtype), *density.data_types]
    return compile(trace(loop, *types, name="gradients").program)


def _fitting(run: Callable[[int], Any], seconds: float = 0.02) -> int:
    """Turns that take so long; asked twice, for in eight short ones the call takes longer."""
    run(2)
    count = 8
    for _ in range(2):
        spent = max(_seconds(partial(run, count)), 1e-9)
        count = max(1, min(MOST_TURNS, int(count * seconds / spent)))
    return count


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Time bayesdl alone on the cases named on the command line, or on all."""
    for name in sys.argv[1:] or CASES:
        for kind in (np.float64, np.float32):
            found = gradient_time(name, kind)
            print(
                f"{name:22s} {np.dtype(kind).name}  {found.microseconds:10.3f} µs"
                f"  compile {found.compile_seconds:6.3f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""odeint: initial value problems by adaptive Dormand–Prince steps, differentiable in both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl._base.source import user_source
from bayesdl.ir.builder import Handle
from bayesdl.ops import numpy as bnp
from bayesdl.ops import structural as st
from bayesdl.tracing.flow import cond, scan, while_loop

# Dormand & Prince (1980), table 2: nodes, stages, and what the fourth order differs by.
NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
SAFETY, LEAST, MOST = 0.9, 0.2, 10.0
# Steps are walked in blocks, so that those which were not needed cost one test a block.
BLOCK = 20

Derivative = Callable[..., Any]


def odeint(
    derivative: Derivative,
    start: Any,
    times: Any,
    *args: Any,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 1000,
) -> Any:
    """Solve dy/dt = derivative(y, t, *args) with y(times[0]) = start.

    Parameters
    ----------
    derivative : callable, (y, t, *args) -> array, shape of `start`
        May use arrays of the surrounding function too.
    start : array, shape (...)
    times : array, shape (T,)
        Where the solution is wanted; increasing, the first is where it starts.
    *args
        Handed to `derivative`.
    rtol, atol : float
        A step is taken if its error is at most ``atol + rtol · |y|``, root mean square over the
        entries.
    max_steps : int, default 1000
        Most steps tried from the first time to the last.

    Returns
    -------
    array, shape (T, ...)
        NaN from the first time that `max_steps` steps do not reach: a sampler rejects such a point.

    Raises
    ------
    ArgumentError
        If known times do not increase, or a tolerance or `max_steps` is not positive.
    ShapeError
        If `derivative` returns another shape than it was given.

    Notes
    -----
    Steps are chosen first, without derivatives; the solution then is a scan over the chosen steps,
    and what is differentiated is that scan. So gradients are exact for the steps that were taken,
    in either mode and of any order, and cost one more solution each [1]_.

    References
    ----------
    .. [1] Hairer, Nørsett & Wanner (1993), Solving Ordinary Differential Equations I, sections II.4
       (step sizes), II.5 (the method) and II.6 (derivatives of the numerical solution).

    Examples
    --------
    >>> import numpy as np
    >>> odeint(lambda y, t: -y, np.array([1.0]), np.array([0.0, 1.0]))[1].round(6).tolist()
    [0.367879]
    """
    times, start = bnp.asarray(times), bnp.asarray(start)
    dtype = np.result_type(start.dtype, bnp.default_dtype())
    times, start = bnp.asarray(times, dtype), bnp.asarray(start, dtype)
    _check(times, rtol, atol, max_steps)

    def slope(y: Any, t: Any) -> Any:
        found = bnp.asarray(derivative(y, t, *args), dtype)
        if np.shape(found) != np.shape(y):
            raise ShapeError(
                "the derivative that `odeint` was given has another shape than the solution.",
                facts=[("solution", np.shape(y)), ("derivative", np.shape(found))],
                fix="return one slope for each entry of y.",
                where=user_source(),
                code="T114",
            )
        return found

    steps, arrived = _chosen_steps(slope, start, times, (rtol, atol), max_steps)
    return _along(slope, start, times, bnp.stop_gradient(steps), arrived)


def _along(slope: Any, start: Any, times: Any, steps: Any, arrived: Any) -> Any:
    """The solution along given steps, at the steps that arrive at a time."""

    def each(carry: Any, h: Any) -> Any:
        moved = cond(h > 0.0, lambda y, t: _step(slope, y, t, h), lambda y, t: y, *carry)
        return (moved, carry[1] + h), moved

    def stay(carry: Any, steps: Any) -> Any:
        return carry, bnp.zeros((BLOCK, *np.shape(start)), start.dtype)

    def block(carry: Any, steps: Any) -> Any:
        return cond(steps[0] > 0.0, lambda c, h: scan(each, c, h), stay, carry, steps)

    _, path = scan(block, (start, times[0]), bnp.reshape(steps, (-1, BLOCK)))
    path = bnp.reshape(path, (-1, *np.shape(start)))
    at_times = bnp.take(path, bnp.maximum(arrived - 1, 0), axis=0)
    reached = bnp.reshape(arrived > 0, (-1,) + (1,) * np.ndim(start))
    later = bnp.where(reached, at_times, np.nan)
    return bnp.concatenate([start[None], later])


def _step(slope: Any, y: Any, t: Any, h: Any) -> Any:
    return y + h * _weighted(STAGES[6], _slopes(slope, y, t, h, count=6))


def _slopes(slope: Any, y: Any, t: Any, h: Any, count: int) -> list[Any]:
    slopes = [slope(y, t)]
    for weights, node in zip(STAGES[1:count], NODES[1:count], strict=True):
        slopes.append(slope(y + h * _weighted(weights, slopes), t + node * h))
    return slopes


def _weighted(weights: tuple[float, ...], slopes: list[Any]) -> Any:
    total: Any = None
    for weight, k in zip(weights, slopes, strict=True):
        if weight:
            total = weight * k if total is None else total + weight * k
    return total


def _chosen_steps(
    slope: Any, start: Any, times: Any, tolerances: tuple[float, float], max_steps: int
) -> tuple[Any, Any]:
    """Accepted steps, zero behind the last; and after how many each time is met, zero if never."""
    wanted = times.shape[0] - 1

    def going(state: Any) -> Any:
        return bnp.logical_and(state["tried"] < max_steps, state["met"] < wanted)

    def attempt(s: Any) -> Any:
        y, t = s["y"], s["t"]
        remaining = bnp.take(times, s["met"] + 1) - t
        last = s["h"] >= remaining
        h = bnp.where(last, remaining, s["h"])
        slopes = [s["slope"], *_slopes(slope, y, t, h, count=6)[1:]]
        new = y + h * _weighted(STAGES[6], slopes)
        slopes.append(slope(new, t + h))
        error = _relative(h * _weighted(ERROR, slopes), y, new, tolerances)
        taken = error <= 1.0
        factor = bnp.clip(SAFETY * bnp.maximum(error, 1e-10) ** -0.2, LEAST, MOST)
        factor = bnp.where(bnp.isfinite(error), factor, LEAST)
        proposed = h * factor
        proposed = bnp.where(bnp.logical_and(taken, last), bnp.maximum(proposed, s["h"]), proposed)
        count = s["count"] + taken
        met = s["met"] + bnp.logical_and(taken, last)
        return {
            "y": bnp.where(taken, new, y),
            "slope": bnp.where(taken, slopes[6], s["slope"]),
            "t": bnp.where(taken, bnp.where(last, bnp.take(times, s["met"] + 1), t + h), t),
            "h": proposed,
            "steps": _written(s["steps"], s["count"], bnp.where(taken, h, 0.0)),
            "arrived": _written(s["arrived"], s["met"], bnp.where(met > s["met"], count, 0)),
            "count": count,
            "met": met,
            "tried": s["tried"] + 1,
        }

    first = slope(start, times[0])
    state = {
        "y": start,
        "slope": first,
        "t": times[0],
        "h": _first_step(slope, start, times[0], first, tolerances),
        "steps": bnp.zeros(-(-max_steps // BLOCK) * BLOCK, start.dtype),
        "arrived": bnp.zeros(wanted, np.int64),
        "count": np.int64(0),
        "met": np.int64(0),
        "tried": np.int64(0),
    }
    done = while_loop(going, attempt, state)
    return done["steps"], done["arrived"]


def _written(x: Any, index: Any, value: Any) -> Any:
    update = bnp.reshape(bnp.asarray(value, x.dtype), (1,))
    return st.dynamic_update_slice(x, update, bnp.asarray(index, np.int64))


def _relative(error: Any, old: Any, new: Any, tolerances: tuple[float, float]) -> Any:
    rtol, atol = tolerances
    allowed = atol + rtol * bnp.maximum(bnp.abs(old), bnp.abs(new))
    return bnp.sqrt(bnp.mean((error / allowed) ** 2))


def _first_step(
    slope: Any, start: Any, time: Any, first: Any, tolerances: tuple[float, float]
) -> Any:
    """Hairer, Nørsett & Wanner's guess (section II.4) from the sizes of y, y′ and y″."""
    size = _relative(start, start, start, tolerances)
    speed = _relative(first, start, start, tolerances)
    tiny = bnp.logical_or(size < 1e-5, speed < 1e-5)
    trial = bnp.where(tiny, 1e-6, 0.01 * size / bnp.where(tiny, 1.0, speed))
    second = slope(start + trial * first, time + trial)
    bend = _relative(second - first, start, start, tolerances) / trial
    most = bnp.maximum(speed, bend)
    flat = most <= 1e-15
    guess = bnp.where(
        flat, bnp.maximum(1e-6, trial * 1e-3), (0.01 / bnp.where(flat, 1.0, most)) ** 0.2
    )
    found = bnp.minimum(100.0 * trial, guess)
    return bnp.where(bnp.isfinite(found), found, 1e-6)


def _check(times: Any, rtol: float, atol: float, max_steps: int) -> None:
    for name, value in (("rtol", rtol), ("atol", atol), ("max_steps", max_steps)):
        if not value > 0:
            raise ArgumentError(
                f"`odeint` needs a positive {name}.",
                facts=[("given", value)],
                fix="leave it out for the default.",
                where=user_source(),
                code="A112",
            )
    if np.ndim(times) != 1 or times.shape[0] < 2:
        raise ShapeError(
            "`odeint` needs a row of at least two times.",
            facts=[("shape of times", np.shape(times))],
            fix="give the time of the start, then those at which the solution is wanted.",
            where=user_source(),
            code="T114",
        )
    if not isinstance(times, Handle) and not (np.diff(times) > 0).all():
        first = int(np.argmin(np.diff(times) > 0))
        raise ArgumentError(
            "the times of `odeint` must increase.",
            facts=[(f"times[{first}]", times[first]), (f"times[{first + 1}]", times[first + 1])],
            fix="sort them and drop repeated ones.",
            where=user_source(),
            code="A112",
        )

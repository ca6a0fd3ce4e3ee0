"""Climbs to the mode before the first iteration, for methods whose optimiser is not a step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field, replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.model.density import Density

from .climb import Climb, climb
from .executors import one_blas_thread
from .handle import Gate
from .optim.lbfgs import LBFGS
from .run import Run
from .starts import compiled_gradient, gradient_program


@dataclass()
class Ascent:
    """The climbs of all chains, one after the other.

    Parameters
    ----------
    lbfgs : LBFGS
    density : Density
    draws : int
        Iterations that follow: the whole that progress is shown of.
    gate : Gate
        Passed at each step.
    report : callable
        Gets a record at each step, as `infer.run` gives them.
    climbs : list of Climb
        Where each chain stands that has begun.
    interrupted : bool
        Whether it was stopped by hand.
    seconds : float
        That it took, compilation included.
    """

    lbfgs: LBFGS
    density: Density
    draws: int
    gate: Gate
    report: Callable[[dict[str, Any]], None]
    climbs: list[Climb] = field(default_factory=list)
    interrupted: bool = False
    seconds: float = 0.0
    _totals: list[int] = field(default_factory=list)
    _begin: float = 0.0

    def up(self, starts: np.ndarray[Any, Any], steps: int) -> np.ndarray[Any, Any]:
        """Positions at the ends of climbs of at most so many steps.

        Parameters
        ----------
        starts : array, shape (chains, dim)
        steps : int

        Returns
        -------
        array, shape (chains, dim)
            Of a climb that is stopped by hand, where it stands; of those after it, their starts.
        """
        self._begin, self._totals = time.perf_counter(), [steps + self.draws] * len(starts)
        both = compiled_gradient(self.density, gradient_program(self.density))
        try:
            with one_blas_thread():
                for start in starts:
                    climb(both, start, steps, self.lbfgs, self._watch)
        except KeyboardInterrupt:
            self.interrupted = True
        self.seconds = time.perf_counter() - self._begin
        ends = [one.position for one in self.climbs]
        return np.array([*ends, *starts[len(ends) :]], self.density.dtype)

    def told(self, run: Run) -> Run:
        """What a run gave that began at the ends, with what there is to say of the climbs."""
        seconds, stopped = run.seconds + self.seconds, run.interrupted or self.interrupted
        return replace(run, climbs=tuple(self.climbs), seconds=seconds, interrupted=stopped)

    def _watch(self, here: Climb) -> None:
        if here.steps:
            self.climbs.pop()
        self.climbs.append(here)
        chains, done = len(self._totals), [one.steps for one in self.climbs]
        done += [0] * (chains - len(done))
        record: dict[str, Any] = {"done": sum(done), "total": sum(self._totals)}
        record |= {"iterations": done, "totals": self._totals, "drawn": [0] * chains}
        record |= {"latest": [{}] * chains, "sums": [{}] * chains, "gradients": [0.0] * chains}
        record["seconds"] = [time.perf_counter() - self._begin] * chains
        self.report(record)
        self.gate.pass_through()


def attrs_of(climbs: tuple[Climb, ...]) -> dict[str, Any]:
    """What results say of climbs: the longest, and the gradient of the one furthest from a mode."""
    if not climbs:
        return {}
    worst = max(climbs, key=lambda one: one.slope / one.limit)
    return {
        "optimisation_steps": max(one.steps for one in climbs),
        "gradient_max": worst.slope,
        "gradient_limit": worst.limit,
    }

"""What a fit says of its run: values, statistics and attributes, or why it ended as it did."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import RunError, SampleError
from bayesdl._base.memory import size_text
from bayesdl._base.source import user_source, warn_user
from bayesdl.model.arguments import frame
from bayesdl.model.density import Density

from .ascent import attrs_of
from .block import Target
from .draws import Draws
from .evidence import evidence_bounds, refuse_broken
from .hosting import Hosting
from .kept import Kept
from .kernel import Kernel
from .machine import peak_megabytes
from .methods import KERNELS
from .progress import say
from .run import Compiled, Run
from .starts import Starts


@dataclass(frozen=True)
class Fitted:
    """What a fit gave.

    Parameters
    ----------
    density : Density
        The model and its data.
    draws : Draws
        Values of the latent and deterministic sites.
    kept : Kept
        What was kept of each draw.
    store : path, optional
        Folder of a run that has ended, to which what belongs to its draws is to be added.
    learned : optional
        What the method found beyond draws: of a guide of the user's own, a `FittedGuide`.
    shown : bool, default False
        Whether what is said of it is to be on the screen.
    """

    density: Density
    draws: Draws
    kept: Kept
    store: Path | None = None
    learned: Any = None
    shown: bool = False


@dataclass(frozen=True)
class Account:
    """What it takes to say what a run gave.

    Parameters
    ----------
    kernel : Kernel
    target : Target
    compiled : Compiled
    kept : Kept
    hosting : Hosting
    method : str
    settings, told : dict of str to value
        The method's options, and further attributes.
    sequence : SeedSequence
    asked : (int, int, int, int)
        Chains, warm-up, draws, threads.
    shown : bool
        Whether what is said of the run is on the screen.
    """

    kernel: Kernel
    target: Target
    compiled: Compiled
    kept: Kept
    hosting: Hosting
    method: str
    settings: dict[str, Any]
    told: dict[str, Any]
    sequence: np.random.SeedSequence
    asked: tuple[int, int, int, int]
    shown: bool

    @property
    def density(self) -> Density:
        """The model and its data."""
        return self.kept.density

    def begin(self, need: int, start: Starts) -> None:
        """Say what is about to be done, how many bytes it takes, and what became of the starts."""
        chains, tune, draws, threads = self.asked
        executor = self.hosting.executor
        where = f"on {_many(threads, 'thread')}" if executor is None else "on an executor"
        steps = (
            f"{tune} + {draws} draws"
            if self.kernel.markov
            else f"up to {tune} steps, {draws} draws"
        )
        thin = self.told["thin"]
        every = f", 1 of {thin} kept," if thin > 1 else ""
        numbers = _many(sum(t.size for t in self.kept.types.values()), "number")
        what = f", moments of {numbers}" if self.kept.moments else f"{every} of {numbers}"
        place = "in memory" if self.hosting.store is None else "on disk"
        line = f"{_many(chains, 'chain')} {where}, {steps}{what}: {size_text(need)} {place}"
        again = sum(start.retries)
        tried = f"; {_many(again, 'start')} without a finite density, tried again" if again else ""
        say(line + tried, shown=self.shown)
        missed = start.says(self.told["init"])
        if missed:
            say(missed, logging.WARNING, shown=self.shown)

    def look(self, result: Run) -> Fitted:
        """What there is, at any time."""
        seconds, lengths = self.compiled.seconds, (self.asked[1], self.asked[3])
        attrs = _attrs(self.method, self.settings, seconds, result, self.sequence, lengths)
        attrs.update(self.told)
        found = Draws(result.values, result.stats, attrs)
        if self.kept.moments:
            found = replace(found, values={}, moments=result.values)
        places = _saved_warmup(result)
        if places is not None:
            warmup = self.kept.of_chains(places)
            found = replace(found, warmup=warmup, warmup_stats=result.warmup)
        learned = self.kernel.learned(result.states[0])
        return Fitted(self.density, found, self.kept, learned=learned)

    def finish(self, result: Run) -> Fitted:
        """The same at the end, or what went wrong."""
        refuse_broken(self.kernel, self.density, self.target, result)
        if result.failure is not None:
            raise _stopped(result, self.look, self.hosting) from result.failure
        if result.interrupted:
            _say_what_is_left(result, self.asked[:3])
        store = None if self.hosting.store is None else Path(self.hosting.store)
        return replace(self.look(result), store=store, shown=self.shown)


def _many(count: int, noun: str) -> str:
    """A number of things.

    >>> _many(1, "chain"), _many(4, "chain")
    ('1 chain', '4 chains')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _stopped(result: Run, look: Callable[[Run], Fitted], hosting: Hosting) -> RunError:
    """The error of a run that could not go on, with what it had drawn."""
    chains, count = result.shape
    again = hosting.checkpoint is not None
    error = RunError(
        "the run could not go on.",
        facts=[
            ("cause", f"{type(result.failure).__name__}: {result.failure}"),
            ("iterations", ", ".join(map(str, result.iterations))),
            ("kept", f"{chains} chains of {count} draws, in this error's `posterior`"),
        ],
        fix="remove the cause and make the same call again: it goes on from its checkpoint."
        if again
        else "remove the cause; with checkpoint=folder the same call would go on from here.",
        where=user_source(),
        code="S120",
    )
    something = count or _saved_warmup(result) is not None
    error.posterior = look(result) if something else None
    return error


def _saved_warmup(result: Run) -> np.ndarray[Any, Any] | None:
    """Positions of the warm-up, if there are any."""
    places = result.warmup_positions
    return places if places is not None and places.shape[1] else None


def _say_what_is_left(result: Run, asked: tuple[int, int, int]) -> None:
    """A warning with what an interrupted run kept, or the error if that is nothing."""
    chains, tune, draws = asked
    kept, count = result.shape
    if count:
        warn_user(
            f"stopped by hand: {kept} of {chains} chains are kept, {count} of {draws} draws each; "
            "the whole run would begin with these."
        )
        return
    places = _saved_warmup(result)
    if places is not None:
        warn_user(
            f"stopped by hand in the warm-up: {kept} of {chains} chains are kept, "
            f"{places.shape[1]} of {tune} iterations of the warm-up each, and no draws."
        )
        return
    done = ", ".join(str(n) for n in result.iterations)
    raise SampleError(
        "the run was stopped in its warm-up, before the first draw: there is nothing to return.",
        facts=[
            ("warm-up", f"{done} of {tune} iterations, by chain"),
            ("lost", f"{result.seconds:.1f} s of sampling"),
        ],
        fix="let it run past its warm-up, or save_warmup=True keeps that.",
        where=user_source(),
        code="S103",
    )


def _attrs(
    method: str,
    settings: dict[str, Any],
    seconds: dict[str, float],
    result: Any,
    sequence: np.random.SeedSequence,
    lengths: tuple[int, int],
) -> dict[str, Any]:
    stats = result.stats
    found: dict[str, Any] = {
        "inference_library": "bayesdl",
        "method": method,
        "settings": {k: _plain(v) for k, v in settings.items() if k != "weights"},
        "tuning_steps": lengths[0],
        "threads": lengths[1],
        "trace_seconds": seconds["trace"],
        "compile_seconds": seconds["trace"] + seconds["compile"],
        "run_seconds": result.seconds,
        "peak_mb": peak_megabytes(),
        "interrupted": result.interrupted,
        "random_seed_entropy": str(sequence.entropy),
    }
    found.update(evidence_bounds(stats))
    if not KERNELS[method].markov:
        found["optimisation_steps"] = int(next(iter(result.warmup.values())).shape[1])
    found.update(attrs_of(result.climbs))
    if "n_steps" in result.warmup:
        found["warmup_gradients"] = int(result.warmup["n_steps"].sum())
    if "compression" in stats:
        found["compression"] = float(stats["compression"].mean())
    if "diverging" in stats:
        found["divergences"] = int(stats["diverging"].sum())
    return found


def _plain(value: Any) -> Any:
    """A setting as it can stand in a file."""
    return value if isinstance(value, str | int | float | None) else frame(value)

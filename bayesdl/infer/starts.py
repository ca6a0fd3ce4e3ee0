"""Where chains start, and what to say when no start is any good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.memory import require_memory
from bayesdl._base.source import user_source
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations
from bayesdl.model.density import Density
from bayesdl.model.predict import Simulator
from bayesdl.ops import random
from bayesdl.ops._bind import evaluate
from bayesdl.pipeline import compile
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad

from .climb import Climb, Gradient, climb, pathfinder, still_rising
from .culprit import all_finite, not_finite
from .executors import one_blas_thread

TRIES = 100
CANDIDATES = 5
INITS = ("jitter", "prior", "map", "pathfinder")
Floats = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Starts:
    """Where chains start.

    Parameters
    ----------
    positions : array, shape (chains, dim)
    retries : tuple of int
        Of each chain: tries at which the density or its gradient was not finite.
    climbs : tuple of Climb
        Of each chain, where it was looked for by climbing.
    missed : tuple of str
        Of each chain: why it starts where its climb began; empty where it does not.
    """

    positions: Floats
    retries: tuple[int, ...]
    climbs: tuple[Climb, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def attrs(self) -> dict[str, Any]:
        """What results say of the starts."""
        found: dict[str, Any] = {
            "init_retries": list(self.retries),
            "init_missed": [chain for chain, why in enumerate(self.missed) if why],
        }
        if self.climbs:
            ends = list(zip(self.climbs, self.missed, strict=True))
            found["init_gradient"] = [climb.slope for climb in self.climbs]
            found["init_converged"] = [climb.converged and not why for climb, why in ends]
        return found

    def says(self, init: str) -> str:
        """What there is to say of chains that do not start as they were asked to, in a line."""
        parts = []
        missed = [chain for chain, why in enumerate(self.missed) if why]
        if missed:
            parts.append(
                f"climbs of chains {_listed(missed)} ended {self.missed[missed[0]]}; "
                "these chains start where the climbs began"
            )
        ends = [] if init != "map" else list(enumerate(self.climbs))
        below = {chain: one for chain, one in ends if not (one.converged or self.missed[chain])}
        if below:
            worst = max(below.values(), key=lambda one: one.slope / one.limit)
            parts.append(
                f"chains {_listed(below)} start below the mode: after {worst.steps} steps the "
                f"largest entry of a gradient is {worst.slope:.3g}, and {worst.limit:.3g} would be "
                "the mode"
            )
        return f"init={init!r}: {'; '.join(parts)}" if parts else ""


def _listed(chains: Iterable[int]) -> str:
    return ", ".join(map(str, chains))


def starting_positions(
    density: Density,
    chains: int,
    rng: np.random.Generator,
    initvals: Mapping[str, Any] | None = None,
    jitter: float = 1.0,
    init: str = "jitter",
) -> Starts:
    """A position for each chain at which the log density and its gradient are finite.

    The best of five that are uniform on (−jitter, jitter), so that few chains begin near a minor
    mode; weights and biases of layers uniform with variances 1 / fan_in and 1, so that the units of
    a network start different from one another, and not saturated.

    Parameters
    ----------
    density : Density
    chains : int
    rng : numpy.random.Generator
    initvals : mapping of site name to value, optional
        Sites to start from these values; the others start at random, but for parameters that have
        a start of their own.
    jitter : float, default 1.0
        Chains that are to be compared start apart. An optimisation starts near zero: from a large
        scale of the noise, a network's weights would decay before they are learned.
    init : {"jitter", "prior", "map", "pathfinder"}
        As above; a draw from the prior; the mode that L-BFGS reaches from a start as above, or
        where it stands after 200 steps; a draw from the best normal approximation that it meets on
        the way. Both begin at `initvals` where these are given; a chain whose climb ends at no
        mode, or at nothing finite, starts where it began.

    Returns
    -------
    Starts

    Raises
    ------
    ArgumentError
        For an init that there is not, or a prior that cannot be drawn from.
    CapacityError
        If they do not fit in memory.
    SampleError
        If no finite position is found in 100 tries: a row per site, and the first operation that is
        not finite.

    Notes
    -----
    The density is interpreted: compiling it for a few evaluations would cost more than they do.
    Networks that start with smaller weights or biases are nearly linear, and gradient ascent on a
    posterior may leave them so.

    References
    ----------
    LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, section 4.6.
    """
    _check_init(init)
    position = density.dim * density.dtype.itemsize
    require_memory(
        f"looking for starts of {density.dim} numbers",
        {"starts": chains * position, "candidates": CANDIDATES * position, "gradient": position},
        {"data": sum(a.nbytes for a in density.data)},
    )
    program = gradient_program(density)
    value = replace(program, outputs=program.outputs[:1], memo={})
    value = replace(value, equations=tuple(live_equations(value)))
    scale = _scales(density, jitter)
    told = {n: s.start for n, s in density.sites.points.items() if s.start is not None}
    told.update(initvals or {})
    candidate = _prior(density) if init == "prior" else _uniform(density, scale)
    enough = 1 if init == "prior" else CANDIDATES
    found = [_start(density, (value, program), rng, candidate, enough, told) for _ in range(chains)]
    starts = Starts(np.array([place for place, _ in found]), tuple(again for _, again in found))
    if init in ("map", "pathfinder"):
        return _climbed(density, program, starts, rng, init)
    return starts


def _start(
    density: Density,
    programs: tuple[Program, Program],
    rng: np.random.Generator,
    candidate: Callable[[np.random.Generator], Floats],
    enough: int,
    initvals: Mapping[str, Any],
) -> tuple[Floats, int]:
    """The best of so many finite candidates, and how many were not finite.

    The programs give the log density alone, and with its gradient, which only the best needs.
    """
    finite: list[tuple[float, Floats]] = []
    retries = 0
    while True:
        if len(finite) < enough and retries < TRIES:
            position = _with(density, initvals, candidate(rng))
            (value,) = evaluate(programs[0], position, *density.data)
            if np.isfinite(value):
                finite.append((float(value), position))
            else:
                retries += 1
        elif finite:
            _, best = finite.pop(int(np.argmax([value for value, _ in finite])))
            if np.isfinite(evaluate(programs[1], best, *density.data)[1]).all():
                return best, retries
            retries, position = retries + 1, best
        else:
            value, gradient = evaluate(programs[1], position, *density.data)
            raise not_finite(density, position, float(value), gradient)


def _with(density: Density, initvals: Mapping[str, Any], position: Floats) -> Floats:
    """The position with the values that a user gives to some sites."""
    if not initvals:
        return position
    here = density.constrain(position, *density.data)
    values = {name: here[name] for name in density.sites.latent}
    found = density.unconstrain({**values, **initvals}, *density.data)
    return np.asarray(found, density.dtype)


def _check_init(init: Any) -> None:
    if init in INITS:
        return
    guess = did_you_mean(init, INITS) if isinstance(init, str) else None
    raise ArgumentError(
        f"there is no init {init!r}.",
        facts=[("known", ", ".join(INITS))],
        fix=f"did you mean {guess!r}?" if guess else "values of sites go to initvals=...",
        where=user_source(),
        code="A108",
    )


def _uniform(density: Density, scale: Floats) -> Callable[[np.random.Generator], Floats]:
    return lambda rng: (rng.uniform(-1.0, 1.0, density.dim) * scale).astype(density.dtype)


def _prior(density: Density) -> Callable[[np.random.Generator], Floats]:
    names = tuple(density.sites.latent)
    simulate = Simulator(
        density.model, density.arguments, names, "draw", density.dtype, density.ambient
    )

    def draw(rng: np.random.Generator) -> Floats:
        key = random.key(int(rng.integers(2**63)))
        values = simulate({}, key, *density.data)
        return np.asarray(density.unconstrain(values, *density.data), density.dtype)

    return draw


def _climbed(
    density: Density,
    program: Program,
    starts: Starts,
    rng: np.random.Generator,
    init: str,
) -> Starts:
    """Where climbs from the starts lead, and why some lead nowhere."""
    both, positions, climbs, missed = compiled_gradient(density, program), [], [], []
    # The optimiser's products are so small that threads would do nothing but wait for each other.
    with one_blas_thread():
        for start in starts.positions:
            path: list[Climb] = []
            climbs.append(climb(both, start, watch=path.append))
            end = path[-1].position if init == "map" else pathfinder(path, both, rng)
            why = "" if all_finite(both(end)) else "at no finite log density"
            if init == "map" and not why:
                coordinate = still_rising(both, end, density.dtype)
                why = "" if coordinate is None else _rising(density, end, coordinate)
            positions.append(start if why else end.astype(density.dtype))
            missed.append(why)
    return Starts(np.array(positions), starts.retries, tuple(climbs), tuple(missed))


def _rising(density: Density, end: Floats, coordinate: int) -> str:
    """Where a climb did not end, in the user's words."""
    latent = density.sites.latent.values()
    site = next(s for s in latent if s.slice.start <= coordinate < s.slice.stop)
    value = np.ravel(density.constrain(end.astype(density.dtype), *density.data)[site.name])
    shown = np.array2string(value[:3], precision=1) if value.size > 1 else f"{float(value[0]):.1g}"
    return f"at no mode: the log density still rises where {site.name} = {shown}"


def gradient_program(density: Density) -> Program:
    """The log density and its gradient at a position, as a Program."""
    kind = ArrayType((density.dim,), density.dtype)
    return trace(value_and_grad(density.function), kind, *density.data, name="start").program


def compiled_gradient(density: Density, program: Program) -> Gradient:
    """The log density and its gradient: a climb takes hundreds of evaluations.

    Parameters
    ----------
    density : Density
    program : Program
        As `gradient_program` gives it.
    """
    executable = compile(program)
    data = [np.asarray(d, order="C") for d in density.data]

    def both(position: Floats) -> tuple[float, Floats]:
        value, gradient = executable(np.asarray(position, density.dtype), *data)
        return float(value), np.asarray(gradient, dtype=float)

    return both


def _scales(density: Density, jitter: float) -> np.ndarray[Any, Any]:
    scale = np.full(density.dim, jitter)
    for site in density.sites.latent.values():
        if site.role == "weight":
            scale[site.slice] = np.sqrt(3.0 / max(int(np.prod(site.type.shape[:-1])), 1))
        elif site.role == "bias":
            scale[site.slice] = np.sqrt(3.0)
    return scale

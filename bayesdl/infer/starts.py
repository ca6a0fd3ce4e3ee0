"""Where chains start, and what to say when no start is any good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, SampleError, did_you_mean
from bayesdl._base.memory import require_memory
from bayesdl._base.source import user_source
from bayesdl.ir.program import Equation, Program, Var
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations
from bayesdl.model.density import Density
from bayesdl.model.predict import Simulator
from bayesdl.ops import random
from bayesdl.ops._bind import compute, evaluate
from bayesdl.pipeline import compile
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad

from .climb import climb, pathfinder, still_rising
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
    missed : tuple of str
        Of each chain: why it starts where its climb began; empty where it does not.
    """

    positions: Floats
    retries: tuple[int, ...]
    missed: tuple[str, ...] = ()

    def says(self, init: str) -> str:
        """What there is to say of chains that do not start as they were asked to, in a line."""
        chains = [i for i, why in enumerate(self.missed) if why]
        if not chains:
            return ""
        listed = ", ".join(map(str, chains))
        return (
            f"init={init!r}: climbs of chains {listed} ended {self.missed[chains[0]]}; "
            "these chains start where the climbs began"
        )


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
        As above; a draw from the prior; the mode that L-BFGS reaches from a start as above; a draw
        from the best normal approximation that it meets on the way. Both begin at `initvals` where
        these are given; a chain whose climb ends at no mode, or at nothing finite, starts where it
        began.

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
    kind = ArrayType((density.dim,), density.dtype)
    position = density.dim * density.dtype.itemsize
    require_memory(
        f"looking for starts of {density.dim} numbers",
        {"starts": chains * position, "candidates": CANDIDATES * position, "gradient": position},
        {"data": sum(a.nbytes for a in density.data)},
    )
    program = trace(value_and_grad(density.function), kind, *density.data, name="start").program
    value = replace(program, outputs=program.outputs[:1], memo={})
    value = replace(value, equations=tuple(live_equations(value)))
    scale = _scales(density, jitter)
    told = {n: s.start for n, s in density.sites.points.items() if s.start is not None}
    told.update(initvals or {})
    candidate = _prior(density) if init == "prior" else _uniform(density, scale)
    enough = 1 if init == "prior" else CANDIDATES
    found = [_start(density, (value, program), rng, candidate, enough, told) for _ in range(chains)]
    positions, missed = [position for position, _ in found], [""] * chains
    if init in ("map", "pathfinder"):
        positions, missed = _climbed(density, program, positions, rng, init)
    return Starts(np.array(positions), tuple(retries for _, retries in found), tuple(missed))


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
    density: Density, program: Program, starts: list[Floats], rng: np.random.Generator, init: str
) -> tuple[list[Floats], list[str]]:
    """Where climbs from the starts lead, and why some lead nowhere.

    Compiled: a climb takes hundreds of evaluations.
    """
    executable = compile(program)
    data = [np.asarray(d, order="C") for d in density.data]

    def both(position: Floats) -> tuple[float, Floats]:
        value, gradient = executable(np.asarray(position, density.dtype), *data)
        return float(value), np.asarray(gradient, dtype=float)

    found, missed = [], []
    # The optimiser's products are so small that threads would do nothing but wait for each other.
    with one_blas_thread():
        for start in starts:
            path = climb(both, start)
            end = path[-1][0] if init == "map" else pathfinder(path, both, rng)
            why = "" if _finite(both(end)) else "at no finite log density"
            if init == "map" and not why:
                coordinate = still_rising(both, end, density.dtype)
                why = "" if coordinate is None else _rising(density, end, coordinate)
            found.append(start if why else end.astype(density.dtype))
            missed.append(why)
    return found, missed


def _rising(density: Density, end: Floats, coordinate: int) -> str:
    """Where a climb did not end, in the user's words."""
    latent = density.sites.latent.values()
    site = next(s for s in latent if s.slice.start <= coordinate < s.slice.stop)
    value = np.ravel(density.constrain(end.astype(density.dtype), *density.data)[site.name])
    shown = np.array2string(value[:3], precision=1) if value.size > 1 else f"{float(value[0]):.1g}"
    return f"at no mode: the log density still rises where {site.name} = {shown}"


def _scales(density: Density, jitter: float) -> np.ndarray[Any, Any]:
    scale = np.full(density.dim, jitter)
    for site in density.sites.latent.values():
        if site.role == "weight":
            scale[site.slice] = np.sqrt(3.0 / max(int(np.prod(site.type.shape[:-1])), 1))
        elif site.role == "bias":
            scale[site.slice] = np.sqrt(3.0)
    return scale


def not_finite(
    density: Density,
    position: np.ndarray[Any, Any],
    value: float,
    gradient: np.ndarray[Any, Any],
) -> SampleError:
    """The error for a start without a finite density: values, gradients, first bad operation."""
    rows: list[tuple[Any, ...]] = [("site", "value", "log density", "gradient norm")]
    # The user's own NumPy calls would warn of what is about to be reported.
    with np.errstate(all="ignore"):
        values = density.constrain(position, *density.data)
        terms = density.site_log_densities(position, *density.data)
    for name, term in terms.items():
        site = density.sites.table.get(name)
        latent = site is not None and site.latent
        shown = np.array2string(np.ravel(values[name])[:3], precision=3) if latent else "data"
        norm = f"{float(np.linalg.norm(gradient[site.slice])):.3g}" if site and latent else "-"
        rows.append((name, "-" if site is None else shown, f"{float(term):.4g}", norm))
    culprit = first_non_finite(density, position)
    if culprit is not None:
        place = culprit.source.short if culprit.source else "inside a distribution"
        rows.append(("first non-finite operation", f"`{culprit.primitive.name}`", place))
    return SampleError(
        f"the log density is {value} at the last of the starting positions tried.",
        facts=rows,
        fix="check the data of the observed sites and the priors' supports, or pass initvals=...",
        where=culprit.source if culprit else None,
        code="S101",
    )


def first_non_finite(density: Density, position: np.ndarray[Any, Any]) -> Equation | None:
    """Replay density, then gradient: the first equation with finite inputs and another output."""
    kind = ArrayType(position.shape, position.dtype)
    for function in (density.function, value_and_grad(density.function)):
        program = trace(function, kind, *density.data, name="log_density").program
        found = _replay(program, [position, *density.data])
        if found is not None:
            return found
    return None


def _replay(program: Program, arrays: list[Any]) -> Equation | None:
    values: dict[Var, Any] = dict(zip(program.inputs, arrays, strict=True))
    for equation in program.equations:
        inputs = [values[a] if isinstance(a, Var) else a.value for a in equation.inputs]
        outputs = compute(equation.primitive, inputs, dict(equation.params))
        values.update(zip(equation.outputs, outputs, strict=True))
        if _finite(inputs) and not _finite(outputs):
            return equation
    return None


def _finite(arrays: Any) -> bool:
    return all(np.isfinite(a).all() for a in arrays if np.asarray(a).dtype.kind == "f")

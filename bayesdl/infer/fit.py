"""fit: a model, its data and the name of a method; draws of every latent site come back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from bayesdl._base.errors import ArgumentError, RunError, SampleError, did_you_mean
from bayesdl._base.source import user_source, warn_user
from bayesdl.model.arguments import frame
from bayesdl.model.density import Density, build_density

from .block import Target
from .checkpoint import recorded
from .coordinates import coordinate_blocks
from .draws import Draws
from .each import EachDraw
from .evidence import evidence_bounds, refuse_broken
from .handle import Gate, Handle
from .hosting import Hosting, identity, split
from .keep import chosen_names
from .kernel import Kernel
from .machine import peak_megabytes, usable_cores, versions
from .methods import KERNELS
from .progress import progress
from .run import Compiled, Host, Run, compile_kernel, run
from .starts import starting_positions
from .store import Store

# What other libraries call our arguments.
SYNONYMS = {
    "num_samples": "draws",
    "iter_sampling": "draws",
    "n_samples": "draws",
    "num_warmup": "tune",
    "trajectory_length": "path_length",
    "iter_warmup": "tune",
    "warmup": "tune",
    "steps": "tune",
    "num_chains": "chains",
    "seed": "random_seed",
    "rng": "random_seed",
    "rng_key": "random_seed",
    "random_state": "random_seed",
    "adapt_delta": "target_accept",
    "target_accept_prob": "target_accept",
    "max_tree_depth": "max_treedepth",
    "progress_bar": "progressbar",
    "thinning": "thin",
}


@dataclass(frozen=True)
class Fitted:
    """What a fit gave.

    Parameters
    ----------
    density : Density
        The model and its data.
    draws : Draws
        Values of the latent and deterministic sites.
    store : path, optional
        Folder that the draws are in.
    """

    density: Density
    draws: Draws
    store: Path | None = None


def fit(
    model: Any,
    *data: Any,
    method: str = "nuts",
    draws: int = 1000,
    tune: int | None = None,
    chains: int | None = None,
    cores: int | None = None,
    thin: int = 1,
    random_seed: Any = None,
    init: str = "jitter",
    initvals: Mapping[str, Any] | None = None,
    progressbar: Any = True,
    dtype: Any = None,
    **options: Any,
) -> Fitted:
    """Infer the unknowns of a model from data.

    Parameters
    ----------
    model : Model or callable
    *data
        The model's arguments.
    method : {"nuts", "hmc", "vi", "advi", "mc_dropout"}, default "nuts"
    draws : int, default 1000
        Draws of each chain, before thinning.
    tune : int, optional
        Warm-up iterations, or most steps of an optimisation; the method's own default if not given.
    chains : int, optional
        4 for Markov chains, 1 for the others.
    cores : int, optional
        Threads: a chain each, and with more cores than chains several for a density that is a sum
        over many rows. All usable CPUs if not given. Never changes the draws.
    thin : int, default 1
        Keep every thin-th draw, with its statistics, for the sake of memory alone.
    random_seed : int, SeedSequence or Generator, optional
    init : {"jitter", "prior", "map", "pathfinder"}, default "jitter"
        Where each chain starts: near zero, the best of five; at a draw from the prior; at the mode;
        at a draw from a normal approximation found on the way to the mode.
    initvals : mapping of site name to value, optional
        Sites at which all chains start from these values.
    progressbar : bool, "text" or callable, default True
    dtype : dtype, optional
        float32 for a network by a method that optimises; float64 for all else.
    **options
        Of the run: ``checkpoint``, a folder that is written every two seconds and from which the
        same call goes on; ``store``, a zarr folder to which draws go while they are drawn, read
        lazily afterwards; ``max_memory``, bytes of draws in memory at most; ``keep``, names of the
        sites whose values are wanted; ``save_warmup=True``, the warm-up's values too; ``executor``,
        any ``concurrent.futures.Executor`` in the place of threads; ``blocking=False`` for a
        handle with ``inspect pause resume abort wait``.
        The method's own: ``target_accept``, ``metric`` (nuts, hmc: "diag", "low_rank" or
        "dense"), ``dense`` (names of sites whose covariance is learnt beside a diagonal metric,
        those in one tuple together), ``max_treedepth`` (nuts), ``path_length`` (hmc),
        ``rate``, ``batch_size`` (mc_dropout), ``guide``, ``objective``, ``samples``,
        ``learning_rate`` and more (vi, advi: see `infer.vi.vi.VI`).

    Returns
    -------
    Posterior
        As ``bayesdl.fit`` gives it; this room knows it as `Fitted`.

    Raises
    ------
    ArgumentError
        For an unknown argument or one out of range.
    ModelError, TraceError
        For a model or data that are wrong; before anything is sampled.
    SampleError
        If no finite start is found.
    RunError
        If the run cannot go on: a full disk, dead workers. Its ``posterior`` has what was drawn.
    """
    kind = _method(method)
    _check_counts(draws, tune, chains, cores, thin)
    hosting, own = split(options)
    settings = _checked_options(kind, own)
    _check_warmup(hosting, kind)
    density = _density(kind, model, data, dtype)
    kept = chosen_names(hosting.keep, [n for n, s in density.sites.items() if s.drawn])
    shown = dict(settings)
    kernel, target = _kernel(kind, density, settings)
    sequence = _seed_sequence(_seed(random_seed, hosting))
    tune = kind.default_tune if tune is None else tune
    chains = kind.default_chains if chains is None else chains
    starts, chain_keys = sequence.spawn(2)
    jitter = 1.0 if kind.markov else 0.1
    start = starting_positions(
        density, chains, np.random.default_rng(starts), initvals, jitter, init
    )
    keys = chain_keys.generate_state(2 * chains, np.uint32).reshape(chains, 2)
    lengths = {"chains": chains, "tune": tune, "draws": draws, "thin": thin}
    compiled = compile_kernel(kernel, target)
    show = progress(progressbar, f"{method}: {chains} × ({tune} + {draws})")
    call: dict[str, str] = {}
    # Its digests of data and Program take time that only a checkpoint is worth.
    if hosting.checkpoint is not None:
        said = {"method": method, **lengths, **shown}
        call = identity(compiled, target.data, start.positions, keys, said)
        call["entropy"] = str(sequence.entropy)
        if hosting.save_warmup:
            call["save_warmup"] = "True"
    shape = chains, -(-draws // thin)
    more = tune if hosting.save_warmup else 0
    hosting.require_room(_bytes_per_draw(density, compiled, kept), (chains, shape[1] + more))
    checkpoint = hosting.open_checkpoint(call)
    store = _store(hosting, density, compiled, shape, kept, repr(sorted(call.items())))

    cores = cores or usable_cores()
    asked = chains, tune, draws, min(chains, cores)
    steps = {"tune": tune, "draws": draws, "thin": thin, "cores": cores}

    def go(gate: Gate) -> Run:
        host = Host(store, hosting.executor, checkpoint, gate, hosting.save_warmup)
        return run(compiled, kernel, target, start.positions, keys, report=show, host=host, **steps)

    told = {"thin": thin, "init": init, "init_retries": list(start.retries)}
    account = _Account(
        density, kernel, compiled, store, hosting, kept, method, settings, sequence, told, asked
    )
    if not hosting.blocking:
        handle: Any = Handle(go, account.finish, account.look)
        return handle  # type: ignore[no-any-return]
    return account.finish(go(Gate()))


@dataclass(frozen=True)
class _Account:
    """What it takes to say what a run gave; `asked` is chains, tune, draws, threads."""

    density: Density
    kernel: Kernel
    compiled: Compiled
    store: Store | None
    hosting: Hosting
    kept: Sequence[str]
    method: str
    settings: dict[str, Any]
    sequence: np.random.SeedSequence
    told: dict[str, Any]
    asked: tuple[int, int, int, int]

    def look(self, result: Run) -> Fitted:
        """What there is, at any time."""
        seconds, lengths = self.compiled.seconds, (self.asked[1], self.asked[3])
        attrs = _attrs(self.method, self.settings, seconds, result, self.sequence, lengths)
        attrs.update(self.told)
        found = Draws(self._values(result), result.stats, attrs)
        places = result.warmup_positions
        if places is not None and places.shape[1]:
            warmup = _constrained(self.density, places, self.kept)
            found = replace(found, warmup=warmup, warmup_stats=result.warmup)
        return Fitted(self.density, found, self.store.path if self.store else None)

    def finish(self, result: Run) -> Fitted:
        """The same at the end, or what went wrong."""
        refuse_broken(self.kernel, self.density, result)
        if result.failure is not None:
            raise _stopped(result, self.look, self.hosting) from result.failure
        if result.interrupted:
            _say_what_is_left(result, self.asked[:3])
        return self.look(result)

    def _values(self, result: Run) -> Any:
        if self.store:
            return result.values
        return _constrained(self.density, result.positions, self.kept)


def _check_warmup(hosting: Hosting, kind: type[Kernel]) -> None:
    if hosting.save_warmup and not kind.markov:
        raise ArgumentError(
            f"{kind.name} has no warm-up to save: it optimises.",
            fix="leave save_warmup out.",
            where=user_source(),
            code="A108",
        )


def _seed(given: Any, hosting: Hosting) -> Any:
    """Of a run that was begun without a seed, the one that it took."""
    if given is not None or hosting.checkpoint is None:
        return given
    known = recorded(hosting.checkpoint)
    return None if known is None else int(known["entropy"])


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
    error.posterior = look(result) if count else None
    return error


def _density(kind: type[Kernel], model: Any, data: tuple[Any, ...], dtype: Any) -> Density:
    """Optimised networks lose nothing in float32; elsewhere float64 is the safe choice."""
    if dtype is None and not kind.markov:
        density = build_density(model, data, dtype=np.float32)
        if any(site.role == "weight" for site in density.sites.latent.values()):
            return density
    return build_density(model, data, dtype=np.float64 if dtype is None else dtype)


def _kernel(
    kind: type[Kernel], density: Density, settings: dict[str, Any]
) -> tuple[Kernel, Target]:
    if density.minibatched and kind.markov:
        raise SampleError(
            f"{kind.name} cannot run on a minibatch: its draws would not be of the posterior.",
            fix='give the plate all rows, or use method="advi".',
            where=user_source(),
            code="S104",
        )
    if "dense" in settings:
        settings = {**settings, "dense": coordinate_blocks(density, settings["dense"])}
    return kind.prepared(density, settings)


def _bytes_per_draw(density: Density, compiled: Compiled, kept: Sequence[str]) -> int:
    types = [*(density.sites[n].type for n in kept), *compiled.block.info_types.values()]
    return sum(t.size * t.dtype.itemsize for t in types)


def _store(
    hosting: Hosting,
    density: Density,
    compiled: Compiled,
    shape: tuple[int, int],
    kept: Sequence[str],
    call: str,
) -> Store | None:
    """The folder of the draws, if one is wanted."""
    if hosting.store is None:
        return None
    each = _each(density, kept)
    types = {name: density.sites[name].type for name in kept}
    stats = compiled.block.info_types
    # Only a run with a checkpoint can come again to the folder that it began.
    run = blake2b(f"{call} {kept}".encode()).hexdigest() if hosting.checkpoint else uuid4().hex
    return Store(hosting.store, lambda p: each(p, density.data), types, stats, shape, run)


def _constrained(
    density: Density, positions: np.ndarray[Any, Any], kept: Sequence[str]
) -> dict[str, np.ndarray[Any, Any]]:
    chains, count = positions.shape[:2]
    found = _each(density, kept)(positions.reshape(chains * count, -1), density.data)
    return {n: found[n].reshape(chains, count, *found[n].shape[1:]) for n in kept}


def _each(density: Density, kept: Sequence[str]) -> EachDraw:
    """Values of the kept sites at each position; what they do not need is never computed."""

    def values(position: Any, *data: Any) -> dict[str, Any]:
        found = density.constrain(position, *data)
        return {name: found[name] for name in kept}

    return EachDraw(values, density.dtype)


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
    done = ", ".join(str(n) for n in result.iterations)
    raise SampleError(
        "the run was stopped in its warm-up, before the first draw: there is nothing to return.",
        facts=[
            ("warm-up", f"{done} of {tune} iterations, by chain"),
            ("lost", f"{result.seconds:.1f} s of sampling"),
        ],
        fix="let it run past its warm-up, or give a smaller tune.",
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
        "versions": versions(),
    }
    found.update(evidence_bounds(stats))
    if not KERNELS[method].markov:
        found["optimisation_steps"] = int(next(iter(result.warmup.values())).shape[1])
    if "n_steps" in result.warmup:
        found["warmup_gradients"] = int(result.warmup["n_steps"].sum())
    if "diverging" in stats:
        found["divergences"] = int(stats["diverging"].sum())
    return found


def _plain(value: Any) -> Any:
    """A setting as it can stand in a file."""
    return value if isinstance(value, str | int | float | None) else frame(value)


def _method(name: str) -> type[Kernel]:
    if name not in KERNELS:
        guess = did_you_mean(name, KERNELS, {"mcmc": "nuts", "svi": "vi", "dropout": "mc_dropout"})
        raise ArgumentError(
            f"there is no method {name!r}.",
            facts=[("known", ", ".join(sorted(KERNELS)))],
            fix=f"did you mean {guess!r}?" if guess else "use one of them.",
            where=user_source(),
            code="A106",
        )
    return KERNELS[name]


def _common() -> list[str]:
    """The settings that every method has, as the signature of `fit` lists them."""
    listed = inspect.signature(fit).parameters.values()
    return [p.name for p in listed if p.kind is p.KEYWORD_ONLY and p.name != "method"]


def _checked_options(kind: type[Kernel], options: dict[str, Any]) -> dict[str, Any]:
    own = [f.name for f in fields(Hosting)]
    own += [f.name for f in fields(kind) if f.name != "weights"]  # type: ignore[arg-type]
    for name in options:
        if name not in own:
            known = [*_common(), *own]
            guess = did_you_mean(name, known, SYNONYMS)
            raise ArgumentError(
                f"fit has no argument {name!r} for method {kind.name!r}.",
                facts=[("known", ", ".join(known))],
                fix=f"did you mean `{guess}`?" if guess else "leave it out.",
                where=user_source(),
                code="A107",
            )
    for name in ("target_accept", "rate"):
        if name in options and not 0.0 < float(options[name]) < 1.0:
            raise ArgumentError(
                f"{name} must lie between 0 and 1.",
                facts=[("given", options[name])],
                fix=f"for example {name}=0.8."
                if name == "target_accept"
                else "for example rate=0.05.",
                where=user_source(),
                code="A108",
            )
    return options


def _check_counts(
    draws: int, tune: int | None, chains: int | None, cores: int | None, thin: int
) -> None:
    above_zero = {"draws": draws, "chains": chains, "cores": cores, "thin": thin}
    least = {"tune": (tune, 0), **{name: (value, 1) for name, value in above_zero.items()}}
    for name, (value, low) in least.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if value is not None and (not whole or value < low):
            raise ArgumentError(
                f"{name} must be a whole number of at least {low}.",
                facts=[("given", repr(value))],
                fix=f"for example {name}=1000."
                if name in ("draws", "tune")
                else f"for example {name}=4.",
                where=user_source(),
                code="A108",
            )


def _seed_sequence(seed: Any) -> np.random.SeedSequence:
    if seed is None or isinstance(seed, int | np.integer):
        return np.random.SeedSequence(None if seed is None else int(seed))
    if isinstance(seed, np.random.SeedSequence):
        return np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)
    if isinstance(seed, np.random.Generator):
        return np.random.SeedSequence(int(seed.integers(2**63)))
    raise ArgumentError(
        f"random_seed cannot be a {type(seed).__name__}.",
        fix="give an int, a numpy.random.SeedSequence or a numpy.random.Generator.",
        where=user_source(),
        code="A108",
    )

"""fit: a model, its data and the name of a method; draws of every latent site come back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from hashlib import blake2b
from secrets import token_hex
from typing import Any

import numpy as np

from bayesdl._base.errors import SampleError
from bayesdl._base.source import user_source
from bayesdl.ir.types import ArrayType
from bayesdl.model.density import Density, build_density

from .account import Account, Fitted
from .ascent import Ascent
from .asked import check_counts, check_warmup, checked_options, method_named, seed_sequence
from .block import Block, Target
from .coordinates import coordinate_blocks
from .handle import Gate, Handle
from .hosting import Hosting, identity, split
from .keep import Columns, Keeper
from .kept import Kept, kept_of
from .kernel import Kernel
from .machine import usable_cores
from .moments import Moments, bytes_of
from .progress import on_screen, progress, unfailing
from .run import Host, Run, begin_kernel, run
from .starts import starting_positions
from .store import Store


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
        at a draw from a normal approximation found on the way to the mode. A climb that finds no
        mode is told of, and its chain starts where the climb began.
    initvals : mapping of site name to value, optional
        Sites at which all chains, or their climbs, start from these values.
    progressbar : bool, "text" or callable, default True
        Whether progress is shown, with a line before the run and the verdict after it. These go
        to the log (the logger ``bayesdl``) too, and with False or a function there alone.
    dtype : dtype, optional
        float32 for a network by a method that optimises; float64 for all else.
    **options
        Of the run: ``checkpoint``, a folder that is written every two seconds and from which the
        same call goes on; ``store``, a zarr folder to which draws go while they are drawn, read
        lazily afterwards; ``max_memory`` and ``max_disk``, bytes of draws at most; ``keep``, names
        of the sites whose values are wanted, or "predictive": what predictions of the fitted data
        need, and no weights, or "moments": means and variances, and no draws; ``save_warmup=True``,
        the warm-up's values too; ``executor``, any ``concurrent.futures.Executor`` in the place of
        threads; ``blocking=False`` for a handle with ``inspect pause resume abort wait``.
        The method's own: ``target_accept``, ``metric`` (nuts, hmc: "diag", "low_rank" or
        "dense"), ``dense`` (names of sites whose covariance is learnt beside a diagonal metric,
        those in one tuple together), ``max_treedepth`` (nuts), ``path_length`` and ``max_steps``
        (hmc), ``rate``, ``batch_size``, ``schedule`` and more (the dropout family: see
        `infer.deep._base.DropoutKernel`), ``guide``, ``objective``, ``optimiser`` and more (vi,
        advi: see `infer.vi.vi.VI`).

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
        If the run cannot go on: a full disk, dead workers, any error on the way. Its ``posterior``
        has what was drawn.
    CapacityError
        If the draws would not fit in memory, or on the disk of the store.
    """
    kind = method_named(method)
    check_counts(draws, tune, chains, cores, thin)
    hosting, own = split(options)
    settings = checked_options(kind, own, _common())
    check_warmup(hosting, kind)
    with kind.placing(model, data, settings):
        density = _density(kind.coarse(settings), model, data, dtype)
    kept = kept_of(density, hosting.keep)
    kernel, target = _kernel(kind, density, settings)
    sequence = seed_sequence(random_seed, hosting)
    compiling = begin_kernel(kernel, target)
    tune = kind.default_tune if tune is None else tune
    chains = kind.default_chains if chains is None else chains
    starts, chain_keys = sequence.spawn(2)
    jitter = 1.0 if kind.markov else 0.1
    rng = np.random.default_rng(starts)
    start = starting_positions(density, chains, rng, initvals, jitter, init)
    keys = chain_keys.generate_state(2 * chains, np.uint32).reshape(chains, 2)
    lengths = {"chains": chains, "tune": tune, "draws": draws, "thin": thin}
    compiled = compiling()
    show = unfailing(progress(progressbar, f"{method}: {chains} × ({tune} + {draws})"))
    call: dict[str, str] = {}
    # Its digests of data and Program take time that only a checkpoint is worth.
    if hosting.checkpoint is not None:
        said = {"method": method, **lengths, **settings}
        call = identity(compiled, target.data, start.positions, keys, said)
        call["entropy"] = str(sequence.entropy)
        call.update(hosting.what_it_writes())
    shape = chains, -(-draws // thin)
    need = _require_room(hosting, kept, compiled.block, shape, tune)
    checkpoint = hosting.open_checkpoint(call)
    keeper = _keeper(hosting, kept, compiled.block, shape, call)

    cores = cores or usable_cores()
    asked = chains, tune, draws, min(chains, cores)
    steps = {"tune": tune, "draws": draws, "thin": thin, "cores": cores}

    def go(gate: Gate) -> Run:
        host = Host(keeper, hosting.executor, checkpoint, gate, hosting.save_warmup)
        if kernel.climber is None:
            at = start.positions
            return run(compiled, kernel, target, at, keys, report=show, host=host, **steps)
        ascent = Ascent(kernel.climber, density, draws, gate, show)
        at, after = ascent.up(start.positions, tune), {**steps, "tune": 0}
        found = run(compiled, kernel, target, at, keys, report=show, host=host, **after)
        return ascent.told(found)

    told = {"thin": thin, "init": init, **start.attrs}
    parts = kernel, target, compiled, kept, hosting, method, settings, told, sequence, asked
    account = Account(*parts, shown=on_screen(progressbar))
    account.begin(need, start)
    if not hosting.blocking:
        handle: Any = Handle(go, account.finish, account.look)
        return handle  # type: ignore[no-any-return]
    return account.finish(go(Gate()))


def _density(coarse: bool, model: Any, data: tuple[Any, ...], dtype: Any) -> Density:
    """Optimised networks lose nothing in float32; elsewhere float64 is the safe choice."""
    if dtype is None and coarse:
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
    if density.sites.points and kind.markov:
        raise _points_refused(kind, density)
    if "dense" in settings:
        settings = {**settings, "dense": coordinate_blocks(density, settings["dense"])}
    return kind.prepared(density, settings)


def _points_refused(kind: type[Kernel], density: Density) -> SampleError:
    points = density.sites.points
    first = next(iter(points.values()))
    layer = f" of layer {first.layer!r}" if first.layer else ""
    return SampleError(
        f'{kind.name} cannot draw parameter "{first.name}"{layer}: without a prior it has no '
        "posterior.",
        facts=[("without a prior", ", ".join(points))],
        fix='give each a prior, or fit them to a point, method="vi".',
        where=first.source or user_source(),
        code="S109",
    )


def _require_room(
    hosting: Hosting, kept: Kept, block: Block, shape: tuple[int, int], tune: int
) -> int:
    """How many bytes the draws will take; refused if there is no room for them."""
    per_draw = _bytes(block) + (0 if kept.moments else kept.bytes)
    besides = bytes_of(kept.types, kept.judged) if kept.moments else 0
    return hosting.require_room(per_draw, shape, tune if hosting.save_warmup else 0, besides)


def _bytes(block: Block) -> int:
    """Of the statistics of one draw."""
    return sum(t.size * t.dtype.itemsize for t in block.info_types.values())


def _keeper(
    hosting: Hosting, kept: Kept, block: Block, shape: tuple[int, int], call: Mapping[str, str]
) -> Keeper:
    """Where the draws go."""
    each, data = kept.each(shape[0] * shape[1]), kept.density.data

    def values(positions: Any) -> Any:
        return each(positions, data)

    if not kept.moments:
        return _columns(hosting, kept, (values, kept.types), block, shape, call)
    columns = _columns(hosting, kept, (lambda positions: {}, {}), block, shape, call)
    return Moments(columns, values, kept.types, kept.judged, shape)


def _columns(
    hosting: Hosting,
    kept: Kept,
    values: tuple[Any, Mapping[str, ArrayType]],
    block: Block,
    shape: tuple[int, int],
    call: Mapping[str, str],
) -> Columns:
    """Memory, or a folder."""
    parts = *values, block.info_types, shape
    if hosting.store is None:
        place = block.position_type
        return Columns(*parts, place.size * place.dtype.itemsize + _bytes(block))
    # Only a run with a checkpoint can come again to the folder that it began.
    named = blake2b(f"{sorted(call.items())} {sorted(kept.types)}".encode()).hexdigest()
    return Store(hosting.store, *parts, named if hosting.checkpoint else token_hex(16), kept.about)


def _common() -> list[str]:
    """The settings that every method has, as the signature of `fit` lists them."""
    listed = inspect.signature(fit).parameters.values()
    return [p.name for p in listed if p.kind is p.KEYWORD_ONLY and p.name != "method"]

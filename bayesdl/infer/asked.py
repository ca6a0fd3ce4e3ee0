"""What a user asks of a fit, held against what there is: method, options, counts, seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.source import user_source

from .checkpoint import recorded
from .hosting import Hosting
from .kernel import Kernel
from .methods import KERNELS
from .optim._checked import is_number

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


def method_named(name: str) -> type[Kernel]:
    """The kernel of a method."""
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


def checked_options(
    kind: type[Kernel], options: dict[str, Any], common: Sequence[str]
) -> dict[str, Any]:
    """A method's own options; `common` names the arguments that every method has."""
    own = [f.name for f in fields(Hosting)]
    own += [f.name for f in fields(kind) if f.name != "weights"]  # type: ignore[arg-type]
    for name in options:
        if name not in own:
            known = [*common, *own]
            guess = did_you_mean(name, known, SYNONYMS)
            raise ArgumentError(
                f"fit has no argument {name!r} for method {kind.name!r}.",
                facts=[("known", ", ".join(known))],
                fix=f"did you mean `{guess}`?" if guess else "leave it out.",
                where=user_source(),
                code="A107",
            )
    for name in ("target_accept", "rate"):
        given = options.get(name, 0.5)
        if not (is_number(given) and 0.0 < given < 1.0):
            raise ArgumentError(
                f"{name} must lie between 0 and 1.",
                facts=[("given", given)],
                fix=f"for example {name}=0.8."
                if name == "target_accept"
                else "for example rate=0.05.",
                where=user_source(),
                code="A108",
            )
    return options


def check_counts(
    draws: int, tune: int | None, chains: int | None, cores: int | None, thin: int
) -> None:
    """Refuse numbers of iterations, chains and threads that are none."""
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


def check_warmup(hosting: Hosting, kind: type[Kernel]) -> None:
    """Refuse to save the warm-up of a method that has none."""
    if hosting.save_warmup and not kind.markov:
        raise ArgumentError(
            f"{kind.name} has no warm-up to save: it optimises.",
            fix="leave save_warmup out.",
            where=user_source(),
            code="A108",
        )


def seed_sequence(given: Any, hosting: Hosting) -> np.random.SeedSequence:
    """Where all randomness of a run comes from; of one begun without a seed, what it took."""
    seed = _seed(given, hosting)
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


def _seed(given: Any, hosting: Hosting) -> Any:
    if given is not None or hosting.checkpoint is None:
        return given
    known = recorded(hosting.checkpoint)
    return None if known is None else int(known["entropy"])

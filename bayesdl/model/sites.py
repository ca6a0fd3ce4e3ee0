"""Sites: what a model contains, read by running it once on types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError, SiteError, SupportError
from bayesdl._base.source import Source
from bayesdl.ir.builder import Builder
from bayesdl.ir.types import ArrayType
from bayesdl.ops import numpy as bnp
from bayesdl.ops.array import Array
from bayesdl.tracing import building

from .arguments import Arguments
from .handlers import trace_sites
from .models import Model
from .statements import Handler, Message, Plate, data_shape


@dataclass(frozen=True)
class Site:
    """One named quantity of a model.

    Parameters
    ----------
    name : str
    type : ArrayType
        Of its (constrained) value.
    distribution : str
        As it prints; empty for deterministic sites.
    kind : {"latent", "observed", "deterministic"}
    dims : tuple of str
        Names of the axes, as far as they are known, plates first.
    plates : tuple of Plate
    start, size : int
        Its slice of the position; 0 and 0 where it has none.
    unconstrained_shape : tuple of int
    """

    name: str
    type: ArrayType
    distribution: str
    kind: str
    dims: tuple[str, ...]
    plates: tuple[Plate, ...]
    source: Source | None
    role: str | None
    layer: str | None
    start: int
    size: int
    unconstrained_shape: tuple[int, ...]

    @property
    def observed(self) -> bool:
        """Whether it is data."""
        return self.kind == "observed"


class Sites(Mapping[str, Site]):
    """The sites of a model, in order."""

    def __init__(self, sites: dict[str, Site]) -> None:
        self._sites = sites
        self.dim = sum(s.size for s in sites.values())

    def __getitem__(self, name: str) -> Site:
        return self._sites[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    def of_kind(self, kind: str) -> list[Site]:
        """The latent, observed or deterministic sites."""
        return [s for s in self.values() if s.kind == kind]

    @property
    def minibatched(self) -> bool:
        """Whether a plate sees only some of its rows."""
        return any(p.minibatch is not None for s in self.values() for p in s.plates)

    def __repr__(self) -> str:
        rows = [
            f"  {s.name:<16} {s.type!s:<14} {s.kind:<14} {s.distribution}" for s in self.values()
        ]
        return "\n".join([f"Sites, {self.dim} unconstrained dimensions:", *rows])


def read_sites(model: Model, arguments: Arguments) -> Sites:
    """Run a model once on types and say what it contains; data are checked against the statements.

    Raises
    ------
    SiteError, ShapeError, DtypeError, SupportError
        If a statement is wrong; with the user's line.
    """
    builder = Builder(Array, concrete=True)
    reader = _Reader(builder)
    record = trace_sites()
    with building(builder), record, reader:
        handles = [
            builder.input(t, v) for t, v in zip(arguments.types, arguments.data, strict=True)
        ]
        args, kwargs = arguments.rebuild(handles)
        model.function(*args, **kwargs)
    sites, start = {}, 0
    for message in record.sites.values():
        if message.kind == "factor":
            continue
        site = _site(message, start)
        start += site.size
        sites[message.name] = site
    found = Sites(sites)
    if found.dim == 0:
        raise SiteError(
            f"the model {model.name!r} has no latent site: there is nothing to infer.",
            facts=[("sites", ", ".join(found) or "none")],
            fix='name an unknown, for example mu = sample("mu", dist.Normal(0.0, 1.0)).',
            code="M106",
        )
    return found


class _Reader(Handler):
    """Gives every latent site an array in flight, and checks the data."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def process(self, message: Message) -> None:
        if message.kind != "sample":
            return
        if message.observed:
            check_observed(message)
        elif message.value is None:
            _check_latent(message)
            self._stand_in(message)

    def _stand_in(self, message: Message) -> None:
        kind = ArrayType(data_shape(message), bnp.default_dtype())
        message.value = self.builder.input(kind)


def _site(message: Message, start: int) -> Site:
    value = message.value
    kind = "deterministic" if message.kind == "deterministic" else "observed"
    size = 0
    shape: tuple[int, ...] = ()
    if message.kind == "sample" and not message.observed and not message.fixed:
        assert message.distribution is not None
        kind = "latent"
        shape = message.distribution.support.bijector.unconstrained_shape(np.shape(value))
        size = int(np.prod(shape, dtype=int))
    return Site(
        message.name,
        ArrayType(np.shape(value), np.dtype(value.dtype)),
        "" if message.distribution is None else repr(message.distribution),
        kind,
        (*(p.name for p in message.plates), *message.dims),
        message.plates,
        message.source,
        message.role,
        message.layer,
        start if size else 0,
        size,
        shape,
    )


def _check_latent(message: Message) -> None:
    assert message.distribution is not None
    if message.distribution.is_discrete:
        raise SiteError(
            f'the latent site "{message.name}" is discrete; gradients cannot move it.',
            facts=[("distribution", repr(message.distribution))],
            fix="sum it out, for example with dist.Mixture, or give it data.",
            where=message.source,
            code="M107",
        )


def check_observed(message: Message) -> None:
    """Shape, dtype, NaN and support of data, against the statement."""
    assert message.distribution is not None
    value, wanted = message.value, data_shape(message)
    shape = np.shape(value)
    if shape != wanted:
        raise ShapeError(
            f'the data of site "{message.name}" do not have the shape of its distribution.',
            facts=[("data", shape), ("distribution", wanted)],
            note="An observed value may not enlarge its distribution.",
            fix=_repair(message.name, shape, wanted),
            where=message.source,
            code="M108",
        )
    number = value if isinstance(value, np.ndarray | np.generic) else value.value
    if number is not None:
        _check_numbers(message, np.asarray(number))


def _repair(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if len(shape) == len(wanted) + 1 and shape[-1] == 1 and shape[:-1] == wanted:
        return f"{name} has shape {shape}; did you mean {name}[:, 0]?"
    if len(wanted) == len(shape) + 1 and wanted[-1] == 1 and wanted[:-1] == shape:
        return (
            f"the distribution has shape {wanted}; did you mean to take [:, 0] of its parameters?"
        )
    if not wanted and len(shape) == 1:
        return f'put the statement in `with plate("rows", {shape[0]}):`.'
    return "give the distribution one element per datum, or open a plate of that size."


def _check_numbers(message: Message, number: Any) -> None:
    assert message.distribution is not None
    missing = np.isnan(number) if number.dtype.kind == "f" else np.zeros(number.shape, bool)
    if missing.any():
        rows = np.flatnonzero(missing.reshape(len(number), -1).any(1)) if number.ndim else [0]
        raise SupportError(
            f'the data of site "{message.name}" contain NaN.',
            facts=[("count", int(missing.sum())), ("first rows", ", ".join(map(str, rows[:5])))],
            fix="drop those rows, or fill them in before fitting.",
            where=message.source,
            code="M109",
        )
    support = message.distribution.support
    inside = support.contains(number)
    if not isinstance(inside, np.ndarray | np.generic | bool):
        return
    outside = ~np.asarray(inside)
    if outside.any():
        first = tuple(int(i) for i in np.argwhere(outside)[0]) if outside.ndim else ()
        raise SupportError(
            f'the data of site "{message.name}" lie outside the support of {message.distribution!r}.',
            facts=[
                ("support", support.name),
                ("outside", f"{int(outside.sum())} of {outside.size}"),
                ("first", f"index {first}: {np.asarray(number)[first]}"),
            ],
            fix="check the data, or choose a distribution whose support holds them.",
            where=message.source,
            code="M110",
        )

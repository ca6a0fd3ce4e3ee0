"""What a model may say: sample, observe, deterministic, factor, plate, scope; and what layers say, units."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bayesdl._base.errors import ShapeError, SiteError
from bayesdl._base.source import Source, user_source
from bayesdl.dist._base import Distribution
from bayesdl.ops import numpy as bnp


@dataclass
class Message:
    """One statement on its way through the handlers.

    Parameters
    ----------
    kind : {"sample", "deterministic", "factor", "units"}
    name : str
        With the scopes in front.
    distribution : Distribution or None
        Expanded by the plates.
    value : array or None
        Given by a handler or by data; drawn when None at the end.
    observed : bool
        Whether the value is data.
    """

    kind: str
    name: str
    distribution: Distribution | None = None
    value: Any = None
    observed: bool = False
    fixed: bool = False
    dims: tuple[str, ...] = ()
    plates: tuple[Plate, ...] = ()
    role: str | None = None
    layer: str | None = None
    scale: Any = 1.0
    mask: Any = None
    source: Source | None = None
    hidden: bool = False


class Handler:
    """Something that reads or fixes sites while a model runs; a context manager and a decorator."""

    def process(self, message: Message) -> None:
        """Before the value is settled; handlers nearest to the statement come first."""

    def settled(self, message: Message) -> None:
        """After the value is settled."""

    def __enter__(self) -> Any:
        STACK.handlers.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        STACK.handlers.remove(self)

    def __call__(self, function: Any) -> Any:
        """The function run under this handler."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapped


@dataclass(frozen=True)
class Plate:
    """An axis of independent repetitions.

    Parameters
    ----------
    name : str
        Also the name of the dim.
    size : int
        Number of repetitions in the model, N.
    minibatch : int or None
        Number of them that the data at hand hold.
    """

    name: str
    size: int
    minibatch: int | None = None
    source: Source | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """Length of the axis of the arrays at hand."""
        return self.size if self.minibatch is None else self.minibatch


class _Stack(threading.local):
    def __init__(self) -> None:
        self.handlers: list[Handler] = []
        self.plates: list[Plate] = []
        self.scopes: list[str] = []


STACK = _Stack()


def sample(
    name: str,
    distribution: Distribution,
    obs: Any = None,
    *,
    dims: tuple[str, ...] = (),
    role: str | None = None,
    layer: str | None = None,
) -> Any:
    """Name a random quantity.

    Parameters
    ----------
    name : str
        Unique in the model.
    distribution : Distribution
        Expanded by the plates around the statement.
    obs : array, optional
        Data; the quantity is latent without.
    dims : tuple of str, optional
        Names of the axes of one event, carried to the result.
    role : {"weight", "bias"}, optional
        What methods for networks take it for.
    layer : str, optional
        Name of the layer it belongs to.

    Returns
    -------
    array
        The value, of the distribution's batch and event shape.

    Raises
    ------
    SiteError
        If the name is taken, or if nothing gives a value.
    ShapeError
        If the distribution contradicts a plate, or the data would enlarge it.
    """
    source = user_source()
    if not isinstance(distribution, Distribution):
        raise SiteError(
            f'site "{name}" needs a distribution.',
            facts=[("given", type(distribution).__name__)],
            fix=f'write sample("{name}", dist.Normal(0.0, 1.0)).',
            where=source,
            code="M104",
        )
    full = _scoped(name)
    plates = tuple(STACK.plates)
    message = Message(
        "sample",
        full,
        distribution=_in_plates(full, distribution, plates, source),
        value=None if obs is None else bnp.asarray(obs),
        observed=obs is not None,
        dims=tuple(dims),
        plates=plates,
        role=role,
        layer=layer,
        source=source,
    )
    return _send(message)


def observe(
    name: str, distribution: Distribution, value: Any, *, dims: tuple[str, ...] = ()
) -> Any:
    """`sample` with data; see there."""
    return sample(name, distribution, obs=value, dims=dims)


def deterministic(name: str, value: Any, *, dims: tuple[str, ...] = ()) -> Any:
    """Record a computed quantity under a name; it is in the results and does not touch the density."""
    message = Message(
        "deterministic",
        _scoped(name),
        value=bnp.asarray(value),
        dims=tuple(dims),
        plates=tuple(STACK.plates),
        source=user_source(),
    )
    return _send(message)


def factor(name: str, log_weight: Any) -> None:
    """Add a number, in nats, to the log density."""
    _send(Message("factor", _scoped(name), value=bnp.asarray(log_weight), source=user_source()))


def units(name: str, x: Any) -> Any:
    """The units that enter a layer, shape (rows, units): the place where dropout masks them."""
    return _send(Message("units", _scoped(name), value=x, source=user_source()))


@contextmanager
def plate(name: str, size: int, *, minibatch: int | None = None) -> Iterator[Plate]:
    """Statements inside are repeated independently along one axis.

    Nested plates give axes from left to right: the outermost comes first.

    Parameters
    ----------
    name : str
        Name of the dim.
    size : int
        Number of repetitions N.
    minibatch : int, optional
        Number of repetitions at hand; log densities inside are scaled by N / minibatch.

    Raises
    ------
    SiteError
        If a plate of that name is open, or a size is not positive.
    """
    found = Plate(_scoped(name), int(size), minibatch, user_source())
    if any(p.name == found.name for p in STACK.plates):
        raise SiteError(
            f'plate "{found.name}" is open already.',
            fix="give the inner plate another name.",
            where=found.source,
            code="M102",
        )
    if size < 1 or (minibatch is not None and not 1 <= minibatch <= size):
        raise SiteError(
            f'plate "{found.name}" needs a positive size, and a minibatch no larger.',
            facts=[("size", size), ("minibatch", minibatch)],
            fix="give the number of rows of the data.",
            where=found.source,
            code="M102",
        )
    STACK.plates.append(found)
    try:
        yield found
    finally:
        STACK.plates.pop()


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Put ``name.`` in front of the names of all statements inside."""
    STACK.scopes.append(name)
    try:
        yield
    finally:
        STACK.scopes.pop()


def _scoped(name: str) -> str:
    return ".".join([*STACK.scopes, name])


def _send(message: Message) -> Any:
    handlers = list(STACK.handlers)
    for handler in reversed(handlers):
        handler.process(message)
        if message.hidden:
            break
    if message.value is None:
        raise SiteError(
            f'site "{message.name}" has no value: the model was called without a source of randomness.',
            fix="call it under bayesdl.seed(0), or give it to bayesdl.fit.",
            where=message.source,
            code="M105",
        )
    for handler in reversed(handlers):
        handler.settled(message)
        if message.hidden:
            break
    return message.value


def _in_plates(
    name: str, distribution: Distribution, plates: tuple[Plate, ...], source: Source | None
) -> Distribution:
    """The distribution with the plates' axes in its batch shape."""
    if not plates:
        return distribution
    wanted = tuple(p.length for p in plates)
    own = distribution.batch_shape
    fits = len(own) <= len(wanted) and all(
        n in (1, w) for n, w in zip(own[::-1], wanted[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f'site "{name}" does not fit its plates.',
            facts=[
                ("batch shape", own),
                *(
                    (f'plate "{p.name}"', p.length, p.source.short if p.source else "")
                    for p in plates
                ),
            ],
            note="Plates are the axes of the batch shape, the outermost first.",
            fix="give the parameters the plates' shape, index them by group, or use to_event.",
            where=source,
            code="M103",
        )
    return distribution if own == wanted else distribution.expand(wanted)


def data_shape(message: Message) -> tuple[int, ...]:
    """Batch and event shape of a sample statement."""
    assert message.distribution is not None
    return (*message.distribution.batch_shape, *message.distribution.event_shape)

"""Handlers: ten lines each, they read or fix sites while a model runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bayesdl._base.errors import SiteError
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from .statements import Handler, Message


class seed(Handler):
    """Draw every site that nothing else gives a value, from one key or integer."""

    def __init__(self, key: Any) -> None:
        self.key = random.key(key) if isinstance(key, int) else key
        self.count = 0

    def process(self, message: Message) -> None:
        if message.kind == "sample" and message.value is None:
            assert message.distribution is not None
            message.value = message.distribution.sample(random.fold_in(self.key, self.count))
            self.count += 1


class substitute(Handler):
    """Give latent sites these values; they still count in the density."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def process(self, message: Message) -> None:
        if message.kind == "sample" and message.value is None and message.name in self.values:
            message.value = bnp.asarray(self.values[message.name])


class condition(Handler):
    """Make sites observed at these values."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def process(self, message: Message) -> None:
        if message.kind == "sample" and message.name in self.values:
            message.value, message.observed = bnp.asarray(self.values[message.name]), True


class do(Handler):
    """Set sites from outside: they take these values and leave the density (Pearl's intervention)."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)

    def process(self, message: Message) -> None:
        if message.kind == "sample" and message.name in self.values:
            message.value, message.fixed = bnp.asarray(self.values[message.name]), True


class block(Handler):
    """Hide sites from the handlers further out."""

    def __init__(self, names: Iterable[str] | Callable[[Message], bool]) -> None:
        chosen = names if callable(names) else set(names)
        self.hides = chosen if callable(chosen) else lambda message: message.name in chosen

    def process(self, message: Message) -> None:
        message.hidden = message.hidden or self.hides(message)


class mask(Handler):
    """Count only the elements where the mask holds."""

    def __init__(self, mask: Any) -> None:
        self.mask = bnp.asarray(mask)

    def process(self, message: Message) -> None:
        if message.kind == "sample":
            message.mask = self.mask if message.mask is None else message.mask & self.mask


class scale(Handler):
    """Multiply log densities by a factor."""

    def __init__(self, factor: Any) -> None:
        self.factor = factor

    def process(self, message: Message) -> None:
        message.scale = message.scale * self.factor


class trace_sites(Handler):
    """Record every site in order.

    Raises
    ------
    SiteError
        If two statements use one name.
    """

    def __init__(self) -> None:
        self.sites: dict[str, Message] = {}

    def settled(self, message: Message) -> None:
        if message.kind == "units":
            return
        first = self.sites.get(message.name)
        if first is not None:
            raise SiteError(
                f'the name "{message.name}" is used by two statements.',
                facts=[
                    ("first", _what(first), first.source.short if first.source else ""),
                    ("second", _what(message), message.source.short if message.source else ""),
                ],
                fix='rename one, or put them in `with scope("noise"):`.',
                where=message.source,
                code="M101",
            )
        self.sites[message.name] = message


class dropout(Handler):
    """Mask the units that enter each layer, one mask a row, and scale up what is kept.

    Parameters
    ----------
    key : key
    rate : float
        Probability that a unit is dropped, in [0, 1).

    References
    ----------
    Gal & Ghahramani (2016), Dropout as a Bayesian approximation, section 3 (arXiv:1506.02142).
    """

    def __init__(self, key: Any, rate: float) -> None:
        self.key, self.rate, self.count = key, rate, 0

    def process(self, message: Message) -> None:
        if message.kind == "units":
            key = random.fold_in(self.key, self.count)
            self.count += 1
            kept = random.uniform(key, message.value.shape) >= self.rate
            message.value = bnp.where(kept, message.value / (1.0 - self.rate), 0.0)


def _what(message: Message) -> str:
    return message.kind if message.distribution is None else repr(message.distribution)

"""Handlers: each reads or fixes the statements of a model that runs inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from bayesdl.ops import numpy as bnp
from bayesdl.ops import random

from ._stack import Handler as Handler
from ._stack import surroundings as surroundings
from ._statement import Statement as Statement
from ._statement import enter

Values = Mapping[str, Any]


class seed(Handler):
    """Draw what has no value, each site with its own key.

    Parameters
    ----------
    key : int, or Array of shape (2,)
        A seed, or a key from `bayesdl.random.key`. The n-th statement that is seen gets
        ``fold_in(key, n)``, whether it needs it or not.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> m = bdl.seed(0)(lambda: bdl.sample("x", bdl.dist.Normal(0.0, 1.0)))
    >>> bool(m() == m())
    True
    """

    def __init__(self, key: Any) -> None:
        self.key = random.key(int(key)) if isinstance(key, int | np.integer) else key
        self.count = 0

    def start(self) -> None:
        self.count = 0

    def before(self, statement: Statement) -> None:
        if statement.kind == "sample" and statement.key is None:
            statement.key = random.fold_in(self.key, self.count)
            self.count += 1


class _Fixing(Handler):
    """Handlers that hold values for some sites."""

    def __init__(self, values: Values | None = None, **named: Any) -> None:
        self.values = {**(values or {}), **named}

    def before(self, statement: Statement) -> None:
        if statement.kind == "sample" and statement.name in self.values:
            self.fix(statement, self.values[statement.name])

    def fix(self, statement: Statement, value: Any) -> None:
        """Put the value into the statement."""
        raise NotImplementedError


class condition(_Fixing):
    """Make sites observed.

    Parameters
    ----------
    values : mapping of str to Array
        Data by site name; also as keyword arguments.
    """

    def fix(self, statement: Statement, value: Any) -> None:
        statement.value, statement.observed = value, value is not None


class substitute(_Fixing):
    """Give sites a value. They stay random: their log probability counts, but they are not data.

    Parameters
    ----------
    values : mapping of str to Array
        By site name; also as keyword arguments.
    """

    def fix(self, statement: Statement, value: Any) -> None:
        statement.value, statement.observed = value, False


class do(_Fixing):
    """Intervene: sites take a value whatever their distribution, and add nothing to the density.

    Parameters
    ----------
    values : mapping of str to Array
        By site name; also as keyword arguments.

    References
    ----------
    Pearl (2009), Causality, section 3.2.
    """

    def fix(self, statement: Statement, value: Any) -> None:
        statement.kind, statement.observed = "deterministic", False
        statement.value, statement.distribution = value, None


class block(Handler):
    """Hide sites from the handlers further out.

    Parameters
    ----------
    sites : iterable of str, or callable from Statement to bool, optional
        Which ones; all by default.
    """

    def __init__(
        self, sites: str | Iterable[str] | Callable[[Statement], bool] | None = None
    ) -> None:
        if sites is None or callable(sites):
            self.hides = sites or (lambda statement: True)
        else:
            names = frozenset([sites] if isinstance(sites, str) else sites)
            self.hides = lambda statement: statement.name in names

    def before(self, statement: Statement) -> None:
        if statement.kind != "units" and self.hides(statement):
            statement.hidden = True


class mask(Handler):
    """Leave elements of the log density out.

    Parameters
    ----------
    array : bool Array
        Broadcasts to the batch shape of each site inside; elements that are False count as 0.
    """

    def __init__(self, array: Any) -> None:
        self.array = array

    def before(self, statement: Statement) -> None:
        keep = bnp.asarray(self.array, np.bool_)
        statement.mask = keep if statement.mask is None else bnp.logical_and(statement.mask, keep)


class scale(Handler):
    """Multiply the log density of the sites inside, as a tempered likelihood does.

    The change of variables of a latent site is not multiplied.

    Parameters
    ----------
    factor : float or Array, shape ()
    """

    def __init__(self, factor: Any) -> None:
        self.factor = factor

    def before(self, statement: Statement) -> None:
        statement.scale = self.factor if statement.scale is None else statement.scale * self.factor


class trace_sites(Handler):
    """Record statements; entering it gives the record, a dict from name to Statement.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> with trace_sites() as sites, bdl.seed(0):
    ...     x = bdl.sample("x", bdl.dist.Normal(0.0, 1.0))
    >>> sites["x"].summary, float(sites["x"].value) == float(x)
    ('Normal(loc=0.0, scale=1.0)', True)
    """

    def __init__(self) -> None:
        self.sites: dict[str, Statement] = {}

    def start(self) -> None:
        self.sites = {}

    def __enter__(self) -> dict[str, Statement]:
        Handler.__enter__(self)
        return self.sites

    def after(self, statement: Statement) -> None:
        if statement.kind != "units":
            enter(self.sites, statement)


class dropout(Handler):
    """Drop the units that enter layers, each unit of each row by itself.

    x ← x · Bernoulli(1 − rate) / (1 − rate)

    Parameters
    ----------
    key : Array, shape (2,)
    rate : float or Array, shape ()
        Probability that a unit is dropped, below 1; to the nearest multiple of 2⁻¹⁶.

    References
    ----------
    Gal & Ghahramani (2016), Dropout as a Bayesian approximation (arXiv:1506.02142).
    """

    def __init__(self, key: Any, rate: Any) -> None:
        self.key, self.rate = key, rate
        self.count = 0

    def start(self) -> None:
        self.count = 0

    def before(self, statement: Statement) -> None:
        if statement.kind != "units" or statement.value is None:
            return
        statement.value = thinned(random.fold_in(self.key, self.count), statement.value, self.rate)
        self.count += 1


LEVELS = 1 << 16
"""Of a rate: a random word of 64 bits decides on four units."""


def thinned(key: Any, x: Any, rate: Any) -> Any:
    """x · Bernoulli(1 − rate) / (1 − rate), each element by itself."""
    return bnp.where(_rarely(key, np.shape(x), rate), 0.0, x / (1.0 - rate))


def _rarely(key: Any, shape: tuple[int, ...], rate: Any) -> Any:
    """Whether each of many units is dropped."""
    length, *rest = shape
    words = random.bits(key, (-(-length // 4), *rest))
    shifts = np.arange(0, 64, 16).astype(np.uint64).reshape(4, *[1] * len(shape))
    parts = (words[None] >> shifts) & np.uint64(LEVELS - 1)
    least = bnp.asarray(bnp.rint(bnp.asarray(rate) * LEVELS), np.uint64)
    return bnp.reshape(parts, (-1, *rest))[:length] < least

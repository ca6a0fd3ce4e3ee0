"""Rates: how the length of a step changes over an optimisation, as factors of the learning rate."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl._base.registry import Registry
from bayesdl.ops import numpy as bnp

from ._checked import in_range


class Rate(ABC):
    """A frozen dataclass that is called with the number of the step and the part that is over.

    Attributes
    ----------
    whole : bool
        Whether its small last steps are the point, so that a run must not end before them.
    """

    whole: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, count: Any, fraction: Any) -> Any:
        """A factor of the learning rate.

        Parameters
        ----------
        count : Array, shape ()
            Steps so far, from 0.
        fraction : Array, shape ()
            Part of the longest run, from 0 to 1.
        """


@dataclass(frozen=True)
class Constant(Rate):
    """1 throughout."""

    def __call__(self, count: Any, fraction: Any) -> Any:
        return 1.0


@dataclass(frozen=True)
class InverseRoot(Rate):
    """1 / √(1 + count / steps): needs no length of the run.

    Parameters
    ----------
    steps : float
        From about here on it falls; above 0.

    Examples
    --------
    >>> round(float(InverseRoot(500.0)(1500, 0.0)), 6)
    0.5
    """

    steps: float = 500.0

    def __post_init__(self) -> None:
        in_range(self, "steps", 0.0, above=True)

    def __call__(self, count: Any, fraction: Any) -> Any:
        return 1.0 / bnp.sqrt(1.0 + count / self.steps)


@dataclass(frozen=True)
class Cosine(Rate):
    """From 1 to `last` along half a cosine.

    Parameters
    ----------
    last : float
        In [0, 1].

    References
    ----------
    Loshchilov & Hutter (2017), SGDR, equation 5 (arXiv:1608.03983).

    Examples
    --------
    >>> [round(float(Cosine()(0, f)), 6) for f in (0.0, 0.5, 1.0)]
    [1.0, 0.5, 0.0]
    """

    whole: ClassVar[bool] = True

    last: float = 0.0

    def __post_init__(self) -> None:
        in_range(self, "last", 0.0, 1.0)

    def __call__(self, count: Any, fraction: Any) -> Any:
        return self.last + (1.0 - self.last) * 0.5 * (1.0 + bnp.cos(math.pi * fraction))


@dataclass(frozen=True)
class OneCycle(Rate):
    """Up from `first` to 1 along a line, then down to `last` along half a cosine.

    Parameters
    ----------
    warm : float
        Part of the run that climbs, in (0, 1).
    first, last : float
        In [0, 1].

    References
    ----------
    Smith & Topin (2018), Super-convergence, section 3 (arXiv:1708.07120).

    Examples
    --------
    >>> [round(float(OneCycle()(0, f)), 3) for f in (0.0, 0.3, 1.0)]
    [0.04, 1.0, 0.0]
    """

    whole: ClassVar[bool] = True

    warm: float = 0.3
    first: float = 0.04
    last: float = 0.0

    def __post_init__(self) -> None:
        in_range(self, "warm", 0.0, 1.0, above=True, below=True)
        in_range(self, "first", 0.0, 1.0)
        in_range(self, "last", 0.0, 1.0)

    def __call__(self, count: Any, fraction: Any) -> Any:
        up = self.first + (1.0 - self.first) * fraction / self.warm
        over = bnp.clip((fraction - self.warm) / (1.0 - self.warm), 0.0, 1.0)
        return bnp.where(fraction < self.warm, up, Cosine(self.last)(count, over))


RATES: Registry[type[Rate]] = Registry("schedule")
RATES.add("constant", Constant)
RATES.add("inverse_root", InverseRoot)
RATES.add("cosine", Cosine)
RATES.add("one_cycle", OneCycle)

"""L-BFGS: what a climb on all rows, without noise, is told."""

from __future__ import annotations

import math

from bayesdl._base.dataclass import dataclass

from ._checked import in_range


@dataclass(frozen=True)
class LBFGS:
    """Quasi-Newton ascent, for objectives that are the same at each step.

    Parameters
    ----------
    memory : int
        Changes of the gradient that the curvature is taken from.
    tolerance : float
        A climb ends where no entry of the gradient is larger than this, in nats per unit of
        position, times the log density in nats where that is more than one: sums of many rows are
        known to fewer decimals.

    Notes
    -----
    SciPy's L-BFGS-B climbs, in float64, for networks too: its line search tells values apart that
    are one in float32.

    References
    ----------
    Byrd, Lu, Nocedal & Zhu (1995), A limited memory algorithm for bound constrained optimization;
    Morales & Nocedal (2011), its version 3.0.
    """

    memory: int = 10
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        in_range(self, "memory", 1, math.inf, whole=True)
        in_range(self, "tolerance", 0.0, 1.0, above=True)

"""Special functions that broadcast: the strict ones of `ops.special` behind NumPy's promotion."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bayesdl.ops import numpy as bnp
from bayesdl.ops import special

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
LOG_PI = math.log(math.pi)
LOG_2 = math.log(2.0)
EULER = 0.5772156649015329


def _broadcasting(function: Callable[..., Any]) -> Callable[..., Any]:
    def wide(*operands: Any) -> Any:
        dtype = next(
            (x.dtype for x in operands if not isinstance(x, int | float)), bnp.default_dtype()
        )
        return function(*bnp.broadcast_arrays(*(bnp.asarray(x, dtype) for x in operands)))

    wide.__doc__ = function.__doc__
    return wide


betainc = _broadcasting(special.betainc)
betaln = _broadcasting(special.betaln)
gammainc = _broadcasting(special.gammainc)
gammaincc = _broadcasting(special.gammaincc)
xlog1py = _broadcasting(special.xlog1py)
xlogy = _broadcasting(special.xlogy)
digamma = special.digamma
erf = special.erf
erfc = special.erfc
erfinv = special.erfinv
lgamma = special.lgamma
log_ndtr = special.log_ndtr
log_sigmoid = special.log_sigmoid
logit = special.logit
ndtr = special.ndtr
ndtri = special.ndtri
trigamma = special.trigamma


def log_choose(n: Any, k: Any) -> Any:
    """log n! / (k! (n − k)!)."""
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0)

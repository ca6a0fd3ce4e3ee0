"""Maps of one number: onto the line, the half-lines and intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesdl.ir.builder import Handle
from bayesdl.ops import numpy as bnp

from ._base import Bijector, bijector


@bijector
class Identity(Bijector):
    """x ↦ x; log|det| = 0."""

    is_increasing = True

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return x, bnp.zeros_like(x)

    def inverse(self, y: Any) -> Any:
        return y


@bijector
class Exp(Bijector):
    """exp: R → (0, ∞); log|det| = x."""

    is_increasing = True

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return bnp.exp(x), x

    def inverse(self, y: Any) -> Any:
        return bnp.log(y)


@bijector
class Softplus(Bijector):
    """log(1 + eˣ): R → (0, ∞); log|det| = −softplus(−x)."""

    is_increasing = True

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return bnp.softplus(x), -bnp.softplus(bnp.negative(x))

    def inverse(self, y: Any) -> Any:
        return y + bnp.log(-bnp.expm1(bnp.negative(y)))


@bijector
class Sigmoid(Bijector):
    """1 / (1 + e⁻ˣ): R → (0, 1); log|det| = x − 2 softplus(x)."""

    is_increasing = True

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return bnp.sigmoid(x), x - 2.0 * bnp.softplus(x)

    def inverse(self, y: Any) -> Any:
        return bnp.log(y) - bnp.log1p(bnp.negative(y))


@bijector
class Tanh(Bijector):
    """tanh: R → (−1, 1); log|det| = 2 (log 2 − x − softplus(−2x))."""

    is_increasing = True

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return bnp.tanh(x), log_one_minus_tanh_squared(x)

    def inverse(self, y: Any) -> Any:
        return bnp.arctanh(y)


@bijector
class Affine(Bijector):
    """x ↦ loc + scale · x; log|det| = log |scale|.

    Parameters
    ----------
    loc : float or Array
        Image of 0.
    scale : float or Array
        Not 0; a negative one turns the order round.
    """

    loc: Any = 0.0
    scale: Any = 1.0

    examples = ((), (1.0, 2.0), (-0.5, -0.1))

    @property
    def is_increasing(self) -> bool | None:  # type: ignore[override]
        """Whether the scale is positive; None where it is not known or has both signs."""
        if isinstance(self.scale, Handle):
            return None
        signs = np.unique(np.sign(self.scale))
        return bool(signs[0] > 0) if signs.size == 1 else None

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        y = self.loc + self.scale * bnp.asarray(x)
        return y, _spread(_log(abs(self.scale)), y)

    def inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale


@bijector
class Interval(Bijector):
    """low + w sigmoid(x): R → (low, high), w = high − low; log|det| = log w + x − 2 softplus(x).

    Parameters
    ----------
    low, high : float or Array
        low < high. They may be other random quantities of a model.
    """

    low: Any = 0.0
    high: Any = 1.0

    is_increasing = True
    examples = ((), (-3.0, 10.0), (1e-3, 2e-3))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        width = self.high - self.low
        log_det = x - 2.0 * bnp.softplus(x) + _log(width)
        return self.low + width * bnp.sigmoid(x), log_det

    def inverse(self, y: Any) -> Any:
        return bnp.log(y - self.low) - bnp.log(self.high - y)


@bijector
class GreaterThan(Bijector):
    """low + exp(x): R → (low, ∞); log|det| = x.

    Parameters
    ----------
    low : float or Array
    """

    low: Any = 0.0

    is_increasing = True
    examples = ((), (-3.0,))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        y = self.low + bnp.exp(x)
        return y, _spread(x, y)

    def inverse(self, y: Any) -> Any:
        return bnp.log(y - self.low)


@bijector
class LessThan(Bijector):
    """high − exp(x): R → (−∞, high), turning the order round; log|det| = x.

    Parameters
    ----------
    high : float or Array
    """

    high: Any = 0.0

    is_increasing = False
    examples = ((), (2.0,))

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        y = self.high - bnp.exp(x)
        return y, _spread(x, y)

    def inverse(self, y: Any) -> Any:
        return bnp.log(self.high - y)


def log_one_minus_tanh_squared(x: Any) -> Any:
    """log(1 − tanh² x), without cancellation for large |x|."""
    return 2.0 * (math.log(2.0) - x - bnp.softplus(-2.0 * x))


def _log(x: Any) -> Any:
    # A Python number stays one, so that it takes the dtype of the array beside it.
    return math.log(x) if isinstance(x, (int, float)) else bnp.log(x)


def _spread(x: Any, like: Any) -> Any:
    """A value repeated to the shape of another, in its dtype."""
    return bnp.broadcast_to(bnp.asarray(x, like.dtype), like.shape)

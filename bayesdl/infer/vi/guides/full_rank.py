"""The full-rank guide: a normal distribution with a dense covariance."""

from __future__ import annotations

from typing import ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.model.density import Density

from ._base import guide
from .structured import Span, Structured


@guide
@dataclass(frozen=True)
class FullRank(Structured):
    """A normal distribution with a dense covariance: dim (dim + 1) / 2 + dim parameters.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), Automatic differentiation variational
    inference, section 2.4 (arXiv:1603.00788).
    """

    name: ClassVar[str] = "full_rank"

    def fitted_to(self, density: Density) -> FullRank:
        return self

    def dense(self, dim: int) -> tuple[Span, ...]:
        return ((0, dim),) if dim > 1 else ()

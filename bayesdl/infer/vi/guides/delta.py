"""The guide of one point: the mode of the density on R^dim."""

from __future__ import annotations

from typing import Any, ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.ops import numpy as bnp

from ._base import Guide, guide


@guide
@dataclass(frozen=True)
class Delta(Guide):
    """All mass at one position: its ELBO is the log density, up to a constant that is left out.

    The mode is that of the density on R^dim, change of variables included. Its names are ``"map"``
    and ``"delta"``.
    """

    name: ClassVar[str] = "map"
    other_names: ClassVar[tuple[str, ...]] = ("delta",)
    estimator: ClassVar[str] = "reparametrised"

    @property
    def has_density(self) -> bool:
        return False

    def start(self, key: Any, position: Any, sd: float) -> Any:
        return {"mean": position}

    def sample_and_log_prob(self, params: Any, key: Any) -> tuple[Any, Any]:
        return params["mean"], bnp.zeros((), params["mean"].dtype)

    def log_prob(self, params: Any, position: Any) -> Any:
        return bnp.zeros((), position.dtype)

"""Differentiable maps with an inverse and a log-determinant; one file per family."""

from ._base import BIJECTORS as BIJECTORS
from ._base import Bijector as Bijector

# isort: split
# --- exports: written by `make exports`, do not edit ---
from typing import TYPE_CHECKING

from bayesdl._base.lazy import lazily

if TYPE_CHECKING:
    from .composed import Chain as Chain
    from .composed import Inverse as Inverse
    from .elementary import Affine as Affine
    from .elementary import Exp as Exp
    from .elementary import GreaterThan as GreaterThan
    from .elementary import Identity as Identity
    from .elementary import Interval as Interval
    from .elementary import LessThan as LessThan
    from .elementary import Sigmoid as Sigmoid
    from .elementary import Softplus as Softplus
    from .elementary import Tanh as Tanh
    from .ordered import Ordered as Ordered
    from .ordered import PositiveOrdered as PositiveOrdered
    from .simplex import StickBreaking as StickBreaking
    from .triangular import CorrCholesky as CorrCholesky
    from .triangular import CovarianceCholesky as CovarianceCholesky
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "Chain": "composed",
            "Inverse": "composed",
            "Affine": "elementary",
            "Exp": "elementary",
            "GreaterThan": "elementary",
            "Identity": "elementary",
            "Interval": "elementary",
            "LessThan": "elementary",
            "Sigmoid": "elementary",
            "Softplus": "elementary",
            "Tanh": "elementary",
            "Ordered": "ordered",
            "PositiveOrdered": "ordered",
            "StickBreaking": "simplex",
            "CorrCholesky": "triangular",
            "CovarianceCholesky": "triangular",
        },
    )

__all__ = [
    "BIJECTORS",
    "Affine",
    "Bijector",
    "Chain",
    "CorrCholesky",
    "CovarianceCholesky",
    "Exp",
    "GreaterThan",
    "Identity",
    "Interval",
    "Inverse",
    "LessThan",
    "Ordered",
    "PositiveOrdered",
    "Sigmoid",
    "Softplus",
    "StickBreaking",
    "Tanh",
]
# --- end of exports ---

"""ADVI: variational inference with a mean-field guide, under the name that the field gave it."""

from __future__ import annotations

from typing import ClassVar

from bayesdl._base.dataclass import dataclass
from bayesdl.infer.kernel import kernel

from .vi import VI


@kernel
@dataclass(frozen=True)
class ADVI(VI):
    """Variational inference by an independent Gaussian on R^dim, unless told otherwise.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), Automatic differentiation variational
    inference (arXiv:1603.00788).
    """

    name: ClassVar[str] = "advi"

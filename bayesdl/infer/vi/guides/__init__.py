"""Families of distributions for variational inference, one file each."""

from __future__ import annotations

from ._base import GUIDES as GUIDES
from ._base import Guide as Guide
from .coupling import Coupling as Coupling
from .delta import Delta as Delta
from .full_rank import FullRank as FullRank
from .iaf import InverseAutoregressive as InverseAutoregressive
from .low_rank import LowRank as LowRank
from .mean_field import MeanField as MeanField
from .model import ModelGuide as ModelGuide
from .planar import Planar as Planar
from .points import BesidePoints as BesidePoints
from .points import beside_points as beside_points
from .structured import Structured as Structured

__all__ = [
    "GUIDES",
    "BesidePoints",
    "Coupling",
    "Delta",
    "FullRank",
    "Guide",
    "InverseAutoregressive",
    "LowRank",
    "MeanField",
    "ModelGuide",
    "Planar",
    "Structured",
    "beside_points",
]

"""Families of distributions for variational inference, one file each."""

from __future__ import annotations

from ._base import GUIDES as GUIDES
from ._base import Guide as Guide
from .delta import Delta as Delta
from .full_rank import FullRank as FullRank
from .low_rank import LowRank as LowRank
from .mean_field import MeanField as MeanField
from .structured import Structured as Structured

__all__ = ["GUIDES", "Delta", "FullRank", "Guide", "LowRank", "MeanField", "Structured"]

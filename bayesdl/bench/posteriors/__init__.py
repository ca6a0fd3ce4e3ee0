"""Models of posteriordb, from their specifications: each has reference draws to be judged against.

Sites are declared in the order of the published parameters, so that a position here is the
published unconstrained vector wherever the transforms agree.

References
----------
Magnusson, Torgander, Bürkner, Zhang, Carpenter & Vehtari (2025), posteriordb: testing,
benchmarking and developing Bayesian inference algorithms (AISTATS; arXiv:2407.04967).
"""

from __future__ import annotations

from . import hierarchies, processes, regressions, sequences
from ._registry import POSTERIORS

__all__ = ["POSTERIORS", "hierarchies", "processes", "regressions", "sequences"]

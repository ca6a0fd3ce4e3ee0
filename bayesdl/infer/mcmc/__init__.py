"""Markov kernels that know a density and nothing else."""

from __future__ import annotations

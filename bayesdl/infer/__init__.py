"""Inference: kernels, the one runner, and what they give back."""

from __future__ import annotations

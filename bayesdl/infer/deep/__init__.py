"""Approximations that are made for networks."""

from __future__ import annotations

"""Equations that a model may have to solve on the way to its likelihood."""

from __future__ import annotations

from .odeint import odeint

__all__ = ["odeint"]

"""Optimisers, as pure functions of explicit state."""

from __future__ import annotations

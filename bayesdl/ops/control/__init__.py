"""Primitives that hold Programs: call, cond, while_loop, scan, and custom derivatives.

Each rule is handed the transform that calls it:

=================================================  ================================================
``transform.jvp(program, active)``                 Program: inputs, tangents of active inputs →
                                                   outputs, tangents of float outputs
``transform.vjp(program, active)``                 Program: inputs, cotangents of float outputs →
                                                   outputs, cotangents of active inputs
``transform.vmap(program, batched, size, force)``  (Program, batched flags of the outputs)
``transform.trace(function, types, name)``         Program without captures
=================================================  ================================================
"""

from __future__ import annotations

from .branches import cond, select
from .calls import call, custom_call
from .loops import while_loop
from .scans import scan

__all__ = ["call", "cond", "custom_call", "scan", "select", "while_loop"]

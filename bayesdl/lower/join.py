"""Sums of padded pieces that do not overlap, as one concatenation.

The gradient of a position is a sum over its sites, each padded with zeros to the whole length. As
it stands that is work in proportion to sites times length, and an expression as deep as there are
sites.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.primitive import PRIMITIVES
from bayesdl.ir.program import Atom, Equation, Literal, Program, Var
from bayesdl.ir.types import ArrayType
from bayesdl.ir.walk import live_equations


def join(program: Program) -> Program:
    """A Program with the same meaning in which pieces are put side by side rather than added up.

    Inner Programs are rewritten once each, however often they are used.

    Parameters
    ----------
    program : Program

    Returns
    -------
    Program
    """
    return _join(program, {})


def _join(program: Program, done: dict[int, Program]) -> Program:
    if id(program) in done:
        return done[id(program)]
    made = {v: e for e in program.equations for v in e.outputs}
    uses = Counter(a for e in program.equations for a in e.inputs if isinstance(a, Var))
    uses.update(a for a in program.outputs if isinstance(a, Var))
    inner = {a for e in program.equations if _is_sum(e) for a in e.inputs if isinstance(a, Var)}
    equations: list[Equation] = []
    for equation in program.equations:
        is_root = _is_sum(equation) and not (
            equation.outputs[0] in inner and uses[equation.outputs[0]] == 1
        )
        joined = _joined(equation, made, uses) if is_root else None
        equations.extend(joined or [_inside(equation, done)])
    changed = program
    if list(program.equations) != equations:
        changed = Program(program.name, program.inputs, tuple(equations), program.outputs)
        live = tuple(live_equations(changed))
        changed = Program(program.name, program.inputs, live, program.outputs)
    done[id(program)] = changed
    return changed


def _inside(equation: Equation, done: dict[int, Program]) -> Equation:
    params = {k: _joined_param(v, done) for k, v in equation.params.items()}
    if all(params[k] is v for k, v in equation.params.items()):
        return equation
    return Equation(equation.primitive, equation.inputs, params, equation.outputs, equation.source)


def _joined_param(value: Any, done: dict[int, Program]) -> Any:
    return _join(value, done) if isinstance(value, Program) else value


def _is_sum(equation: Equation) -> bool:
    return equation.primitive.name == "add" and bool(equation.outputs[0].type.shape)


@dataclass(frozen=True)
class _Piece:
    """A padded array: what is padded, along which axis, from where to where."""

    atom: Atom
    axis: int
    start: int
    end: int


def _joined(root: Equation, made: dict[Var, Equation], uses: Counter[Var]) -> list[Equation] | None:
    """Equations that give a sum's result by putting its terms side by side, if they allow it."""
    pieces: list[_Piece] = []
    waiting: list[Atom] = list(root.inputs)
    while waiting:
        atom = waiting.pop()
        source = made.get(atom) if isinstance(atom, Var) else None
        if source is not None and _is_sum(source) and isinstance(atom, Var) and uses[atom] == 1:
            waiting.extend(source.inputs)
            continue
        piece = _piece(source)
        if piece is None:
            return None
        pieces.append(piece)
    pieces.sort(key=lambda p: (p.start, p.end))
    if len({p.axis for p in pieces}) > 1 or any(a.end > b.start for a, b in pairwise(pieces)):
        return None
    return _side_by_side(root, pieces)


def _piece(source: Equation | None) -> _Piece | None:
    """What a padding pads, where it does so along one axis, without gaps."""
    if source is None or source.primitive.name != "pad" or any(source.params["interior"]):
        return None
    sides = list(zip(source.params["low"], source.params["high"], strict=True))
    axes = [i for i, side in enumerate(sides) if any(side)]
    if len(axes) != 1 or min(sides[axes[0]]) < 0:
        return None
    (axis,), (atom,) = axes, source.inputs
    start = sides[axis][0]
    return _Piece(atom, axis, start, start + atom.type.shape[axis])


def _side_by_side(root: Equation, pieces: list[_Piece]) -> list[Equation]:
    """A concatenation of pieces, with zeros in the gaps."""
    out, axis = root.outputs[0].type, pieces[0].axis
    equations: list[Equation] = []
    parts: list[Atom] = []
    at = 0
    for piece in [*pieces, None]:
        start = piece.start if piece is not None else out.shape[axis]
        if start > at:
            shape = tuple(start - at if i == axis else n for i, n in enumerate(out.shape))
            gap = Var(ArrayType(shape, out.dtype))
            params = {"shape": shape, "axes": tuple(range(out.ndim))}
            zero = Literal.of(np.zeros((), out.dtype))
            equations.append(
                Equation(PRIMITIVES["broadcast"], (zero,), params, (gap,), root.source)
            )
            parts.append(gap)
        if piece is not None:
            parts.append(piece.atom)
            at = piece.end
    whole = Equation(
        PRIMITIVES["concatenate"], tuple(parts), {"axis": axis}, root.outputs, root.source
    )
    return [*equations, whole]

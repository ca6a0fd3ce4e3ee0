"""check_grads: derivatives against differences, and the name of the operation that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl._base.tree import flatten
from bayesdl.ir.program import Equation, Literal, Program, Var
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import bind
from bayesdl.ops._programs import listed, pick

from .derived import array_leaves, jvp, traced_with, vjp

Function = Callable[..., Any]
MODES = ("forward", "reverse")
STEP = 1e-6


def check_grads(
    function: Function,
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = MODES,
    rtol: float = 1e-5,
) -> None:
    """Compare derivatives with central differences, and name the operation that is wrong.

    Along one random direction v and for random weights w: J v must be the difference quotient, and
    ⟨Jᵀ w, v⟩ must be ⟨w, J v⟩. For order 2 the same is asked of the gradient.

    Parameters
    ----------
    function : callable
        Of float64 arrays; gives an array or a container of arrays.
    args : sequence of arrays
        Where to check: a point at which the function is smooth.
    order : {1, 2}, default 2
        Whether second derivatives are checked too.
    modes : sequence of {"forward", "reverse"}
        A function with a derivative of its own (`custom_vjp`) has the reverse mode only.
    rtol : float, default 1e-5
        Largest deviation, relative to the size of the derivatives.

    Raises
    ------
    AssertionError
        With the mode, the two numbers, and the first primitive whose own derivative is off.
    ArgumentError
        For another order or mode.

    Examples
    --------
    >>> check_grads(lambda x: bnp.sin(x).sum(), (np.array([0.3, 1.0]),))
    """
    if order not in (1, 2) or not modes or any(m not in MODES for m in modes):
        raise ArgumentError(
            "`check_grads` knows the orders 1 and 2 and the modes 'forward' and 'reverse'.",
            facts=[("order", order), ("modes", tuple(modes))],
            fix="use order=1 or order=2, and modes=('forward', 'reverse') or one of them.",
            where=user_source(),
            code="A101",
        )
    points = [np.asarray(a, dtype=np.float64) for a in args]

    def flat(*v: Any) -> Any:
        return _joined(function(*v))

    _check_first(flat, points, modes, rtol)
    if order == 2:
        rng = np.random.default_rng(1)
        weights = rng.standard_normal(np.shape(flat(*points)))

        def gradient(*v: Any) -> Any:
            return _joined(_first_derivative(flat, v, weights, modes))

        _check_first(gradient, points, modes, rtol * 10)


def _first_derivative(function: Function, args: Any, weights: Any, modes: Sequence[str]) -> Any:
    if "reverse" in modes:
        return vjp(function, *args)[1](weights)
    rng = np.random.default_rng(3)
    return jvp(function, args, [rng.standard_normal(np.shape(a)) for a in args])[1]


def _joined(container: Any) -> Any:
    """All leaves of a result as one vector."""
    return bnp.concatenate([bnp.ravel(leaf) for leaf in flatten(container)[0]])


def _check_first(function: Function, args: list[Any], modes: Sequence[str], rtol: float) -> None:
    for mode, found, expected, scale in _compared(function, args, modes):
        if not np.allclose(found, expected, rtol=rtol, atol=rtol * scale):
            program = traced_with(function, *array_leaves(args)).program
            culprit = _first_wrong(program, args, modes)
            raise AssertionError(
                f"{mode} mode gives {np.ravel(found)[:4]}, expected {np.ravel(expected)[:4]}; "
                f"the first operation whose own derivative is off: {culprit or 'none alone'}"
            )


def _compared(function: Function, args: Sequence[Any], modes: Sequence[str]) -> Any:
    """(mode, found, expected, scale) for each mode, along one random direction."""
    rng = np.random.default_rng(0)
    moves = [rng.standard_normal(np.shape(a)) for a in args]
    plus, minus = (
        np.asarray(function(*(a + s * STEP * m for a, m in zip(args, moves, strict=True))))
        for s in (1, -1)
    )
    numeric = (plus - minus) / (2 * STEP)
    scale = 1.0 + float(np.abs(numeric).max(initial=0.0))
    forward = None
    if "forward" in modes:
        forward = jvp(function, args, moves)[1]
        yield "forward", forward, numeric, scale
    if "reverse" in modes:
        weights = rng.standard_normal(np.shape(numeric))
        pulled = vjp(function, *args)[1](weights)
        found = sum(float(np.vdot(g, m)) for g, m in zip(pulled, moves, strict=True))
        # Where forward mode is right it is exact, so the adjoint is compared with it.
        expected = float(np.vdot(weights, numeric if forward is None else forward))
        yield "reverse", found, expected, scale * (1.0 + float(np.abs(weights).sum()))


def _first_wrong(program: Program, args: list[Any], modes: Sequence[str]) -> str | None:
    """Check each equation alone, at the values that reach it."""
    values: dict[Var, Any] = dict(zip(program.inputs, args, strict=True))
    for equation in program.equations:
        inputs = [a.value if isinstance(a, Literal) else values[a] for a in equation.inputs]
        outputs = listed(bind(equation.primitive, *inputs, **equation.params))
        values.update(zip(equation.outputs, outputs, strict=True))
        if not _equation_is_right(equation, inputs, modes):
            return f"`{equation.primitive.name}` at {equation.source}"
    return None


def _equation_is_right(equation: Equation, inputs: list[Any], modes: Sequence[str]) -> bool:
    # Literals do not move: they may stand beside an array, which a scalar that moves may not.
    places = [i for i, a in enumerate(equation.inputs) if isinstance(a, Var) and a.type.is_float]
    floating = [v.type.is_float for v in equation.outputs]
    if not places or not any(floating):
        return True

    def alone(*moving: Any) -> Any:
        full = list(inputs)
        for place, value in zip(places, moving, strict=True):
            full[place] = value
        outputs = listed(bind(equation.primitive, *full, **equation.params))
        return _joined(pick(outputs, floating))

    base = [np.asarray(inputs[i]) for i in places]
    return all(
        np.allclose(found, expected, rtol=1e-4, atol=1e-4 * scale)
        for _, found, expected, scale in _compared(alone, base, modes)
    )

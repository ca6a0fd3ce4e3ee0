"""A Program for any number of rows: text with holes, found by comparing traces at several sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.check import check
from bayesdl.ir.program import Equation, Program
from bayesdl.ir.text import from_text, to_text

from .rules import FAMILIES, Array, Rule

Sizes = tuple[int, ...]

_NUMBER = re.compile(r'(?<![\w@%."])([-+]?\d[\d.]*(?:e[-+]?\d+)?)(?![\w."])')
_HOLE = re.compile(r"\$([ifr]|m[-+.e\d]+)\(([-\d,]+)\)")
# The factors of a number of rows that densities have, tried before those that fit by chance.
_FACTORS = (0.5 * math.log(2.0 * math.pi), math.log(2.0 * math.pi), math.log(2.0), math.pi)


class MisfitError(ValueError):
    """The Programs of several sizes are not one Program with other sizes; says where."""


@dataclass(frozen=True)
class Template:
    """A Program whose whole numbers are affine in some sizes.

    Parameters
    ----------
    text : str
        As `to_text` prints, with holes: ``$i(c,a,b)`` stands for c + a·m + b·n, where (m, n) are
        the sizes; ``$f`` for the same as a float, ``$r`` for one over it, ``$m0.9`` for 0.9 times
        it.
    constants : tuple
        What stands behind the parameters ``"@0"``, ``"@1"``, …: an array, or the rule that makes
        one of any shape.
    """

    text: str
    constants: tuple[Array | Rule, ...]

    def fill(self, sizes: Sizes) -> Program:
        """The Program at some sizes.

        Raises
        ------
        ValueError
            If the text is not one that this version reads.
        CompileError
            If the Program is not well formed, as where a size is one that it cannot have.
        """
        text = _HOLE.sub(lambda hole: _written(hole[1], hole[2], sizes), self.text)
        try:
            program = from_text(text)
        except KeyError as error:
            raise ValueError(str(error.args[0])) from None
        return check(_with_constants(program, self.constants))


def template(traces: Mapping[Sizes, Program]) -> Template:
    """Find the template that gives each of these Programs at its sizes.

    Parameters
    ----------
    traces : mapping of sizes to Program
        The first is the point of departure; for each size there is one more, which differs from
        the first in that size only; the others, with all of them changed, are the proof.

    Raises
    ------
    MisfitError
        If there is none.
    """
    sizes = list(traces)
    bare, constants = zip(*(_without_constants(p) for p in traces.values()), strict=True)
    pieces = [_NUMBER.split(to_text(p)) for p in bare]
    _refuse_other_words(sizes, pieces)
    # The odd pieces are the numbers, as `re.split` gives them.
    text = [
        column[0] if len(set(column)) == 1 else _hole(sizes, column, pieces[0], i)
        for i, column in enumerate(zip(*pieces, strict=True))
    ]
    found = [_constant(sizes, column) for column in zip(*constants, strict=True)]
    return Template("".join(text), tuple(found))


def _refuse_other_words(sizes: list[Sizes], pieces: list[list[str]]) -> None:
    for other, found in zip(sizes[1:], pieces[1:], strict=True):
        if found[::2] != pieces[0][::2]:
            line = _first_difference("".join(pieces[0]), "".join(found))
            raise MisfitError(
                f"with {_rows(sizes[0])} the model computes `{line[0]}`, "
                f"with {_rows(other)} `{line[1]}`"
            )


def _first_difference(one: str, other: str) -> tuple[str, str]:
    """The first lines that use another operation, or where one Program ends."""
    lines, others = one.splitlines(), other.splitlines()
    for a, b in zip(lines[1:], others[1:], strict=False):
        if _NUMBER.sub("", a) != _NUMBER.sub("", b):
            return a.strip(), b.strip()
    return f"{len(lines)} steps", f"{len(others)} steps"


def _rows(sizes: Sizes) -> str:
    return f"{' and '.join(map(str, sizes))} rows"


def _hole(sizes: list[Sizes], column: Sequence[str], pieces: list[str], i: int) -> str:
    """A number that depends on the sizes, as a hole."""
    if all(re.fullmatch(r"[-+]?\d+", text) for text in column):
        form = _affine(sizes, [int(text) for text in column])
        if form is not None:
            return f"$i({form})"
    else:
        values = [float(text) for text in column]
        for kind, form in _float_forms(sizes, values):
            if _same_float(kind, form, sizes, values, pieces[i + 1]):
                return f"${kind}({form})"
    line = "".join(pieces[: i + 1]).splitlines()[-1] + pieces[i + 1].splitlines()[0]
    listed = ", ".join(column)
    raise MisfitError(
        f"a number in `{line.strip()}` is {listed} with {', '.join(map(_rows, sizes))}"
    )


def _float_forms(sizes: list[Sizes], values: list[float]) -> Iterator[tuple[str, str]]:
    """Ways in which a float may depend on the sizes, the likelier ones first."""
    for kind, wholes in (("f", values), ("r", [1.0 / v for v in values if v])):
        rounded = [round(w) for w in wholes]
        form = _affine(sizes, rounded) if len(rounded) == len(sizes) and all(rounded) else None
        if form is not None:
            yield kind, form
    for axis in range(len(sizes[0])):
        form = ",".join("1" if i == axis + 1 else "0" for i in range(len(sizes[0]) + 1))
        found = [v / s[axis] for v, s in zip(values, sizes, strict=True)]
        near = [np.nextafter(f, d) for f in found for d in (-np.inf, np.inf)]
        signed = [math.copysign(f, found[0]) for f in _FACTORS]
        yield from ((f"m{float(f)!r}", form) for f in (*signed, *found, *near))


def _same_float(kind: str, form: str, sizes: list[Sizes], values: list[float], after: str) -> bool:
    dtype = np.float32 if after.startswith(":f32") else np.float64
    again = [dtype(_written(kind, form, s)) for s in sizes]
    return bool(np.array_equal(again, np.asarray(values, dtype)))


def _affine(sizes: list[Sizes], values: list[int]) -> str | None:
    """Coefficients of c + Σ aᵢ·sizeᵢ through all values, or None."""
    start, first = sizes[0], values[0]
    slopes = []
    for i in range(len(start)):
        rise, run = values[i + 1] - first, sizes[i + 1][i] - start[i]
        if rise % run:
            return None
        slopes.append(rise // run)
    base = first - sum(a * n for a, n in zip(slopes, start, strict=True))
    form = ",".join(map(str, [base, *slopes]))
    return form if all(_value(form, s) == v for s, v in zip(sizes, values, strict=True)) else None


def _value(form: str, sizes: Sizes) -> int:
    base, *slopes = map(int, form.split(","))
    return base + sum(a * n for a, n in zip(slopes, sizes, strict=True))


def _written(kind: str, form: str, sizes: Sizes) -> str:
    whole = _value(form, sizes)
    if kind == "i":
        return str(whole)
    if kind == "r":
        return np.format_float_scientific(1.0 / whole, trim="0")
    return np.format_float_scientific(float(kind[1:] or 1.0) * whole, trim="0")


def _without_constants(program: Program) -> tuple[Program, list[Array]]:
    """The Program with ``"@k"`` in the place of each array parameter, and the arrays."""
    arrays: list[Array] = []

    def swap(value: Any, equation: Equation) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        arrays.append(value)
        return f"@{len(arrays) - 1}"

    return _mapped(program, swap), arrays


def _with_constants(program: Program, constants: Sequence[Array | Rule]) -> Program:
    def swap(value: Any, equation: Equation) -> Any:
        if not (isinstance(value, str) and value.startswith("@")):
            return value
        found = constants[int(value[1:])]
        kind = equation.outputs[0].type
        return found.make(kind.shape, kind.dtype) if isinstance(found, Rule) else found

    return _mapped(program, swap)


def _mapped(program: Program, swap: Callable[[Any, Equation], Any]) -> Program:
    """The Program with each parameter replaced, those of inner Programs too."""

    def deep(value: Any, equation: Equation) -> Any:
        if isinstance(value, Program):
            return _mapped(value, swap)
        if isinstance(value, tuple):
            return tuple(deep(v, equation) for v in value)
        return swap(value, equation)

    equations = [
        replace(eq, params={k: deep(v, eq) for k, v in sorted(eq.params.items())})
        for eq in program.equations
    ]
    return Program(program.name, program.inputs, tuple(equations), program.outputs)


def _constant(sizes: list[Sizes], column: Sequence[Array]) -> Array | Rule:
    first = column[0]
    if all(_equal(first, other) for other in column[1:]):
        return first
    for name, family in FAMILIES.items():
        if first.ndim and first.size:
            rule = Rule(name, family.numbers(first))
            if all(_equal(rule.make(a.shape, a.dtype), a) for a in column):
                return rule
    shapes = ", ".join(str(a.shape) for a in column)
    raise MisfitError(
        f"an array made by NumPy, of shape {shapes} with {', '.join(map(_rows, sizes))}, "
        "is not one that can be made for other numbers of rows"
    )


def _equal(one: Array, other: Array) -> bool:
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )

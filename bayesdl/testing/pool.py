"""Programs that grow: a pool of values, and rules that make new values of those in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl.ir.program import Program
from bayesdl.ir.types import NAMES, ArrayType
from bayesdl.ops import elementwise as ew
from bayesdl.ops._trace import trace_flat

LARGEST = 200  # elements of a value that stays in the pool
I64 = np.dtype(np.int64)
Rule = Callable[["Pool"], Any]
RulesOf = Callable[["Style"], Sequence[Rule]]


@dataclass(frozen=True)
class Style:
    """Which Programs are grown.

    Parameters
    ----------
    smooth : bool
        Only operations that are differentiable everywhere, so that difference quotients can be
        trusted.
    dtypes : tuple of str
        Dtypes of the inputs.
    real : {"f64", "f32"}
        The float that every Program has, and that its constants and random numbers are.
    loops : bool
        Whether `while_loop` may occur, through which reverse mode does not go.
    depth : int
        How deep bodies may lie inside bodies.
    """

    smooth: bool = False
    dtypes: tuple[str, ...] = ("f64", "f64", "f64", "i64", "bool", "f32")
    real: str = "f64"
    loops: bool = True
    depth: int = 2

    def single(self) -> Style:
        """The same style with float32 in the place of float64, and the other way round."""
        swap = {"f64": "f32", "f32": "f64"}
        dtypes = tuple(swap.get(d, d) for d in self.dtypes)
        return replace(self, dtypes=dtypes, real=swap[self.real])


class Pool:
    """The values of a Program under way, and the rules by which it grows.

    Parameters
    ----------
    rng : numpy.random.Generator
    values : list of Array
    style : Style
    rules : callable, (style) -> sequence of Rule
        A rule takes the pool and gives a value, several, or None where it finds no operands.
    """

    def __init__(
        self, rng: np.random.Generator, values: list[Any], style: Style, rules: RulesOf
    ) -> None:
        self.rng, self.values, self.style, self.rules = rng, values, style, rules

    def grow(self) -> None:
        """Apply a rule that finds operands; most recent values are the likeliest operands."""
        for _ in range(20):
            found = pick(self.rng, self.rules(self.style))(self)
            if found is not None:
                values = found if isinstance(found, (list, tuple)) else [found]
                self.values += [v for v in values if np.prod(v.shape, dtype=int) <= LARGEST]
                return

    def some(self, accept: Callable[[Any], bool]) -> Any:
        """A value of the pool, or None."""
        fitting = [x for x in self.values if accept(x)]
        if not fitting:
            return None
        return fitting[-1 - min(int(self.rng.geometric(0.25)) - 1, len(fitting) - 1)]

    def of_type(self, kind: ArrayType) -> Any:
        """A value of a type, or None."""
        return self.some(lambda v: kind_of(v) == kind)

    def last(self, count: int) -> list[Any]:
        """The newest values, a float among them."""
        newest = self.values[-count:]
        if any(x.dtype.kind == "f" for x in newest):
            return newest
        return [*newest, self.some(self.is_real)]

    def fitting(self, kind: ArrayType) -> Any:
        """A value of a type, made from one of the pool; floats stay bounded, so that loops do."""
        x = self.of_type(kind)
        return ew.tanh(x) if kind.is_float else x

    @property
    def real(self) -> np.dtype[Any]:
        """The dtype of the style's floats."""
        return NAMES[self.style.real]

    def is_real(self, x: Any) -> bool:
        """Whether a value is a float of the style."""
        return bool(x.dtype == self.real)

    def inner(
        self, types: Sequence[ArrayType], results: Callable[..., Any], loops: bool = True
    ) -> Program:
        """The Program of a body or a branch, on request without `while_loop`."""
        size = int(self.rng.integers(1, 6))
        style = replace(self.style, depth=self.style.depth - 1, loops=self.style.loops and loops)
        return grown(self.rng, types, size, style, self.rules, results)

    def operands(self) -> list[Any]:
        """One to three values to hand to an inner Program, a float first."""
        count = min(int(self.rng.integers(1, 4)), len(self.values))
        found = [self.some(self.is_real), *(self.some(lambda v: True) for _ in range(count - 1))]
        return [x for x in found if x is not None]


def grown(
    rng: np.random.Generator,
    types: Sequence[ArrayType],
    size: int,
    style: Style,
    rules: RulesOf,
    results: Callable[[Pool], Sequence[Any]],
) -> Program:
    """A Program of `size` applications of rules that returns what `results` takes from the pool."""

    def body(*inputs: Any) -> Sequence[Any]:
        pool = Pool(rng, list(inputs), style, rules)
        for _ in range(size):
            pool.grow()
        return results(pool)

    return trace_flat(body, types, "generated")


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of several, all equally likely."""
    return options[int(rng.integers(len(options)))]


def kind_of(x: Any) -> ArrayType:
    """Shape and dtype of a value."""
    return ArrayType(x.shape, x.dtype)

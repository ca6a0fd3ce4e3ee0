"""Executable: what every backend makes of a Program, a plain callable on arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from bayesdl._base.errors import DtypeError, ShapeError
from bayesdl._base.memory import CAREFUL, require_memory
from bayesdl._base.source import user_source
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.ops import control, elementwise, linalg, random, special, structural

Array = np.ndarray[Any, Any]

# A Program that is unpickled finds its primitives in the registry, so all of them must be there.
VOCABULARY = (control, elementwise, linalg, random, special, structural)


class Executable(ABC):
    """A Program that can be called.

    It may be called from any number of threads at once. It is pickled as the recipe by which it was
    made, and made again where it is unpickled.

    Parameters
    ----------
    program : Program
        What it computes.

    Attributes
    ----------
    program : Program
    timings : dict of str to float
        Seconds that each stage of making it took, in order.
    recipe : (callable, tuple)
        What gives another one like it, and with which arguments.
    call_bytes : int
        What a call allocates at most.
    calls_blas : bool
        Whether it may call routines of BLAS, which have threads of their own.
    """

    calls_blas = True

    def __init__(self, program: Program) -> None:
        self.program = program
        self._types = program.input_types, program.output_types
        self.timings: dict[str, float] = {}
        self.recipe: tuple[Callable[..., Executable], tuple[Any, ...]] = (type(self), (program,))
        self.call_bytes = _nbytes(program.output_types)

    def __call__(self, *arrays: Any) -> list[Array]:
        """Compute the outputs.

        Parameters
        ----------
        *arrays : arrays or numbers
            One per input, of exactly its shape and dtype. Only an array with gaps in it is copied.

        Returns
        -------
        list of ndarray
            New arrays, one per output.

        Raises
        ------
        ShapeError
            If their number or a shape is wrong.
        DtypeError
            If a dtype is wrong.
        CapacityError
            If outputs and workspace do not fit in memory.
        """
        inputs = self._checked(arrays)
        self._require_memory(_nbytes(self._types[1]))
        outputs = [np.empty(t.shape, t.dtype) for t in self._types[1]]
        self._run(inputs, outputs)
        return outputs

    @contextmanager
    def helped(self, count: int) -> Iterator[None]:
        """While it lasts, calls from this thread have so many threads to help with large sums.

        Results are the same to the last bit. Helpers cost a little while they wait, so they are for
        processors that would be idle otherwise.

        Parameters
        ----------
        count : int
            May be 0. A backend that cannot use helpers does without.
        """
        yield

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Compute the outputs into given arrays.

        Parameters
        ----------
        inputs : sequence of ndarray
            One per input, as for a call.
        outputs : sequence of ndarray
            One per output, of its shape and dtype, writeable and without gaps. None may share
            memory with an input or another output.

        Raises
        ------
        ShapeError
            If a number or a shape is wrong, or an output has gaps or cannot be written.
        DtypeError
            If a dtype is wrong.
        """
        checked = self._checked(inputs)
        self._require_memory(0)
        _check(self.program, "output", outputs, self._types[1])
        for i, (array, kind) in enumerate(zip(outputs, self._types[1], strict=True)):
            if not (array.flags.c_contiguous and array.flags.writeable):
                raise ShapeError(
                    f"output {i} of the Program {self.program.name!r} cannot be written in place.",
                    facts=[
                        (
                            "array",
                            kind,
                            f"strides {array.strides}",
                            f"writeable {array.flags.writeable}",
                        )
                    ],
                    fix="give an array made by numpy.empty.",
                    where=user_source(),
                    code="T109",
                )
        self._run(checked, outputs)

    def timings_text(self) -> str:
        """The seconds of each stage, and their sum."""
        rows = [*self.timings.items(), ("sum", sum(self.timings.values()))]
        return "\n".join(f"{stage:<9} {seconds:8.4f} s" for stage, seconds in rows)

    @abstractmethod
    def _run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Compute on arrays that have been checked."""

    def _missing_workspace(self) -> int:
        """Bytes that a call in this thread allocates beside its outputs."""
        return 0

    def _require_memory(self, outputs: int) -> None:
        if self.call_bytes > CAREFUL:
            require_memory(
                f"a call of the Program {self.program.name!r}",
                {"outputs": outputs, "workspace": self._missing_workspace()},
                {"inputs": _nbytes(self._types[0])},
            )

    def _checked(self, arrays: Sequence[Any]) -> list[Array]:
        found = [np.asarray(a, order="C") for a in arrays]
        _check(self.program, "input", found, self._types[0])
        return found

    def __reduce__(self) -> tuple[Callable[..., Executable], tuple[Any, ...]]:
        return self.recipe


def _nbytes(types: Sequence[ArrayType]) -> int:
    return sum(t.size * t.dtype.itemsize for t in types)


def _check(
    program: Program, word: str, arrays: Sequence[Array], types: Sequence[ArrayType]
) -> None:
    if len(arrays) != len(types):
        raise ShapeError(
            f"the Program {program.name!r} has {len(types)} {word}s, but {len(arrays)} were given.",
            facts=[(f"{word} {i}", t) for i, t in enumerate(types)],
            fix="give one array for each.",
            where=user_source(),
            code="T109",
        )
    for i, (array, kind) in enumerate(zip(arrays, types, strict=True)):
        if array.shape != kind.shape:
            raise ShapeError(
                f"{word} {i} of the Program {program.name!r} has not the shape it was made for.",
                facts=[
                    ("given", array.dtype, array.shape),
                    ("compiled for", kind.dtype, kind.shape),
                ],
                fix="compile again for this shape, or reshape the array.",
                where=user_source(),
                code="T109",
            )
        if array.dtype != kind.dtype:
            raise DtypeError(
                f"{word} {i} of the Program {program.name!r} has not the dtype it was made for.",
                facts=[
                    ("given", array.dtype, array.shape),
                    ("compiled for", kind.dtype, kind.shape),
                ],
                fix=f"cast it, x.astype({kind.dtype.name!r}).",
                where=user_source(),
                code="T110",
            )

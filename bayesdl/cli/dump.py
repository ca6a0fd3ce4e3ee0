"""``bayesdl dump``: a log density and its gradient after each stage, down to assembly."""

from __future__ import annotations

import argparse
import json
import runpy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bayesdl._base.errors import ArgumentError
from bayesdl.bench.posteriors import POSTERIORS
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.lower.llvm import emitted_text
from bayesdl.model import Model
from bayesdl.model.density import build_density
from bayesdl.pipeline import PASSES
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad

_CODE = ("fuse", "plan", "llvm", "optimised", "asm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "target", help="script.py:name of a model or function, or a posterior of the package"
    )
    parser.add_argument(
        "data", nargs="*", help="names of its arguments in the script, or a posterior's JSON file"
    )
    stages = ["trace", *(name for name, _ in PASSES), *_CODE]
    parser.add_argument("--stage", choices=stages, help="this one only, without its title")


def run(options: argparse.Namespace) -> int:
    """Print the Program of the log density and its gradient."""
    for stage, text in _stages(_program(options.target, options.data)):
        if options.stage is None:
            print(f"--- {stage}")
        if options.stage in (None, stage):
            print(text())
        if options.stage == stage:
            break
    return 0


def _stages(program: Program) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "trace", program.__repr__
    for name, transformation in PASSES:
        program = transformation(program)
        yield name, program.__repr__
    for name in _CODE:
        yield name, partial(emitted_text, program, name)


def _program(target: str, data: list[str]) -> Program:
    if ".py:" in target:
        path, _, name = target.rpartition(":")
        return _from_script(path, name, data)
    if target not in POSTERIORS or len(data) != 1:
        raise ArgumentError(
            f"there is nothing to dump: {target!r}.",
            facts=[("posteriors", ", ".join(sorted(POSTERIORS)))],
            fix="bayesdl dump script.py:model x y, or bayesdl dump POSTERIOR data.json.",
            code="A112",
        )
    with open(data[0]) as file:
        model, arguments = POSTERIORS[target](json.load(file))
    return _gradient(model, arguments)


def _from_script(path: str, name: str, data: list[str]) -> Program:
    # Under this name a script does not take itself for the main program.
    names = runpy.run_path(path, run_name="bayesdl_dump")
    missing = [n for n in (name, *data) if n not in names]
    if missing:
        raise ArgumentError(
            f"{path} does not define {', '.join(missing)}.",
            facts=[("it defines", ", ".join(n for n in names if not n.startswith("_")))],
            fix="name variables of the script's top level.",
            code="A112",
        )
    found, arguments = names[name], tuple(names[n] for n in data)
    if isinstance(found, Model):
        return _gradient(found, arguments)
    return trace(found, *arguments, name=name).program


def _gradient(model: Any, arguments: Any) -> Program:
    density = build_density(model, arguments, {})
    kind = ArrayType((density.dim,), density.dtype)
    return trace(
        value_and_grad(density.function), kind, *density.data, name=density.model.name
    ).program

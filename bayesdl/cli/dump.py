"""``bayesdl dump``: a log density and its gradient after each stage, down to assembly."""

from __future__ import annotations

import argparse
import json
import os
import runpy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from inspect import signature
from typing import Any

from bayesdl._base.errors import ArgumentError, did_you_mean
from bayesdl._base.tree import flatten
from bayesdl.bench.posteriors import POSTERIORS
from bayesdl.ir.program import Program
from bayesdl.ir.types import ArrayType
from bayesdl.lower.llvm import emitted_text
from bayesdl.model import Model
from bayesdl.model.density import build_density
from bayesdl.pipeline import CODE_STAGES, PASSES
from bayesdl.tracing import trace, type_of_leaf
from bayesdl.transform.derived import value_and_grad


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "target", help="script.py:name of a model or function, or a posterior of the package"
    )
    parser.add_argument(
        "data", nargs="*", help="names of its arguments in the script, or a posterior's JSON file"
    )
    stages = ["trace", *(name for name, _ in PASSES), *CODE_STAGES]
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
    for name in CODE_STAGES:
        yield name, partial(emitted_text, program, name)


def _program(target: str, data: list[str]) -> Program:
    if ".py:" in target:
        path, _, name = target.rpartition(":")
        return _from_script(path, name, data)
    if target not in POSTERIORS or len(data) != 1:
        guess = did_you_mean(target, POSTERIORS)
        raise ArgumentError(
            f"there is nothing to dump: {target!r}.",
            facts=[("posteriors", ", ".join(sorted(POSTERIORS)))],
            fix=f"bayesdl dump {guess or 'POSTERIOR'} data.json, or "
            "bayesdl dump script.py:model x y.",
            code="A121",
        )
    return _gradient(*_posterior(target, data[0]))


def _posterior(name: str, path: str) -> tuple[Any, Any]:
    """A posterior of the package with the data of a file."""
    try:
        with open(path, encoding="utf-8") as file:
            model, arguments = POSTERIORS[name](dict(json.load(file)))
    # A file that is not there, is no JSON, is no table of names, or lacks one of them.
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArgumentError(
            f"{path} does not hold the data of {name!r}.",
            facts=[("cause", f"{type(error).__name__}: {error}")],
            fix="give the JSON file of this posterior's data, as posteriordb has it.",
            code="A121",
        ) from error
    return model, arguments


def _from_script(path: str, name: str, data: list[str]) -> Program:
    if not os.path.isfile(path):
        raise ArgumentError(
            f"there is no script {path!r}.",
            facts=[("looked in", os.getcwd())],
            fix="give the path of a file: bayesdl dump script.py:model x y.",
            code="A121",
        )
    # Under this name a script does not take itself for the main program.
    names = runpy.run_path(path, run_name="bayesdl_dump")
    missing = [n for n in (name, *data) if n not in names]
    if missing:
        raise ArgumentError(
            f"{path} does not define {', '.join(map(repr, missing))}.",
            facts=[("it defines", ", ".join(n for n in names if not n.startswith("_")))],
            fix="name variables of the script's top level.",
            code="A121",
        )
    found, arguments = names[name], tuple(names[n] for n in data)
    if isinstance(found, Model):
        return _gradient(found, arguments)
    _require_function((name, *data), found, arguments)
    return trace(found, *arguments, name=name).program


def _require_function(names: Sequence[str], found: Any, arguments: Sequence[Any]) -> None:
    """Refuse what cannot be traced: no function, or not of these arguments."""
    given = ", ".join(names[1:]) or "no arguments"
    try:
        signature(found).bind(*arguments)
        for leaf in flatten(list(arguments))[0]:
            type_of_leaf(leaf)
    except TypeError as error:
        raise ArgumentError(
            f"{names[0]!r} is no model, and no function of {given}.",
            facts=[
                *((n, type(x).__name__) for n, x in zip(names, (found, *arguments), strict=True)),
                ("cause", str(error)),
            ],
            fix="bayesdl dump script.py:FUNCTION, then the names of its arguments, all arrays.",
            code="A121",
        ) from error


def _gradient(model: Any, arguments: Any) -> Program:
    density = build_density(model, arguments, {})
    kind = ArrayType((density.dim,), density.dtype)
    return trace(
        value_and_grad(density.function), kind, *density.data, name=density.model.name
    ).program

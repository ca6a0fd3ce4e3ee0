"""``bayesdl dump``: the Programs of a posterior's log density after each stage."""

from __future__ import annotations

import argparse
import json
import sys

from bayesdl.bench.posteriors import POSTERIORS
from bayesdl.ir.types import ArrayType
from bayesdl.model.density import build_density
from bayesdl.pipeline import PASSES
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("posterior", choices=sorted(POSTERIORS), help="a model of the package")
    parser.add_argument("data", help="its data file in posteriordb's JSON format")
    parser.add_argument("--stage", default="simplify", choices=["trace", *(n for n, _ in PASSES)])


def run(options: argparse.Namespace) -> int:
    """Print the Program of the log density and its gradient."""
    with open(options.data) as file:
        model, data = POSTERIORS[options.posterior](json.load(file))
    density = build_density(model, data, {})
    kind = ArrayType((density.dim,), density.dtype)
    program = trace(value_and_grad(density.function), kind, *density.data, name=model.name).program
    if options.stage == "trace":
        print(program)
        return 0
    for name, transformation in PASSES:
        program = transformation(program)
        if name == options.stage:
            print(program)
            return 0
    print(f"no stage {options.stage}", file=sys.stderr)
    return 2

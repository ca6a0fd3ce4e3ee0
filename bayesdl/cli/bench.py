"""``bayesdl bench``: this library beside others, each in a process of its own."""

from __future__ import annotations

import argparse
from types import ModuleType

from bayesdl.bench import (
    accuracy,
    coldstart,
    compiling,
    gradients,
    longrun,
    sampling,
    training,
    uci,
)

# Each has `add_arguments(parser)` and `run(options)`; its first docstring line is its help.
BENCHES: dict[str, ModuleType] = {
    "gradients": gradients,
    "coldstart": coldstart,
    "compile": compiling,
    "sampling": sampling,
    "posteriors": accuracy,
    "longrun": longrun,
    "training": training,
    "uci": uci,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a sub-verb for each bench."""
    verbs = parser.add_subparsers(dest="bench", required=True)
    for name, module in BENCHES.items():
        line = (module.__doc__ or "").splitlines()[0]
        module.add_arguments(verbs.add_parser(name, help=line.partition(": ")[2]))


def run(options: argparse.Namespace) -> int:
    """Run the chosen bench."""
    status: int = BENCHES[options.bench].run(options)
    return status

"""The command line: demo, bench, dump, explain, doctor, cache."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from bayesdl._base.errors import BayesdlError

from . import bench, cache, demo, doctor, dump, explain

CLOSED_PIPE = 128 + 13
"""The status of a program that a signal for a closed pipe has ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``bayesdl VERB …``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bayesdl", description="Bayesian deep learning on a CPU.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo.add_arguments(verbs.add_parser("demo", help="a network by three methods on real data"))
    dump.add_arguments(verbs.add_parser("dump", help="print a model's Program after each stage"))
    bench.add_arguments(verbs.add_parser("bench", help="timings beside other libraries"))
    explain.add_arguments(
        verbs.add_parser("explain", help="print what there is to read on an error or a check")
    )
    verbs.add_parser("doctor", help="print versions, CPU, BLAS, threads, cache")
    cache.add_arguments(verbs.add_parser("cache", help="list or empty the folder of compiled code"))
    options = parser.parse_args(arguments)
    try:
        status = _run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Who reads has seen enough, as `head` has; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except BayesdlError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.verb == "doctor":
        return doctor.run()
    if options.verb == "bench":
        return bench.run(options)
    if options.verb == "cache":
        return cache.run(options)
    if options.verb == "dump":
        return dump.run(options)
    if options.verb == "explain":
        return explain.run(options)
    return demo.run(options)

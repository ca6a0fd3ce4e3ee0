"""Seconds from a model to native code of its log density and gradient, by stage."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from harness import reply, request, use_cores

use_cores(1)
from bayesdl.bench.compiling import CASES, by_stage  # noqa: E402
from bayesdl.ir.types import ArrayType  # noqa: E402
from bayesdl.ir.walk import subprograms  # noqa: E402
from bayesdl.model.density import build_density  # noqa: E402
from bayesdl.pipeline import compile  # noqa: E402
from bayesdl.tracing import trace  # noqa: E402
from bayesdl.transform.derived import value_and_grad  # noqa: E402

if __name__ == "__main__":
    asked = request()
    # What is loaded once in a process is not part of compilation.
    compile(trace(lambda x: x * 2.0, ArrayType((2,), np.dtype(np.float64))).program)
    start = time.perf_counter()
    density = build_density(CASES[asked["case"]][0], (asked["size"],), {})
    position = ArrayType((density.dim,), density.dtype)
    program = trace(value_and_grad(density.function), position, *density.data_types).program
    executable = compile(program)
    whole = time.perf_counter() - start
    equations = sum(len(p.equations) for p in subprograms(program))
    reply({"equations": equations, "seconds": by_stage(executable.timings, whole)})

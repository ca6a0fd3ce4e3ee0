"""Runs one competitor in a process of its own: a request goes in as a file, a reply comes back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, BayesdlError

SCRIPTS = Path(__file__).parent / "peers"
# How many threads: libraries read these when they are loaded, so a process must be born with them.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# An installed package comes with its byte code; that of a checkout is written in the first round.
BYTE_CODE = {"PYTHONDONTWRITEBYTECODE": ""}
XLA_ONE_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
# What each competitor needs to be importable; the first is also its name in tables.
NEEDS = {
    "bayesdl": ("bayesdl",),
    "jax": ("jax",),
    "torch": ("torch",),
    "autograd": ("autograd",),
    "numpyro": ("numpyro",),
    "blackjax": ("blackjax",),
    "pymc": ("pymc",),
    "nutpie": ("nutpie", "pymc"),
}


def threads(count: int) -> dict[str, str]:
    """The environment of a process whose libraries may use so many threads."""
    xla = XLA_ONE_THREAD if count == 1 else {}
    return dict.fromkeys(THREADS, str(count)) | xla


@dataclass(frozen=True)
class Reply:
    """What a process did.

    Parameters
    ----------
    seconds : float
        From before its start to after its end.
    found : dict
        What it reported; empty if it failed.
    error : str
        Why it failed, in one line; empty if it did not.
    """

    seconds: float
    found: dict[str, Any]
    error: str = ""


def run_script(
    script: str,
    request: Mapping[str, Any],
    *,
    python: str = sys.executable,
    arrays: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 900.0,
) -> Reply:
    """Run a script of `peers/` and wait for it.

    Parameters
    ----------
    script : str
        Its file name, or a path.
    request : mapping
        What it is asked for, as JSON.
    python : str
        The interpreter.
    arrays : mapping of str to arrays, optional
        Data, which the script finds in a ``.npz`` file named ``arrays`` in its request.
    environment : mapping of str to str, optional
        Variables added to those of this process.
    timeout : float
        Seconds after which the process is ended and counts as failed.

    Returns
    -------
    Reply
    """
    with tempfile.TemporaryDirectory() as folder:
        told, answer = Path(folder) / "request.json", Path(folder) / "reply.json"
        extra = {}
        if arrays is not None:
            np.savez(Path(folder) / "arrays.npz", **dict(arrays))
            extra = {"arrays": str(Path(folder) / "arrays.npz")}
        told.write_text(json.dumps({**request, **extra}))
        start = time.perf_counter()
        try:
            run = subprocess.run(
                [python, str(SCRIPTS / script), str(told), str(answer)],
                env={**os.environ, **BYTE_CODE, **(environment or {})},
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Reply(time.perf_counter() - start, {}, f"took more than {timeout:.0f} s")
        seconds = time.perf_counter() - start
        if run.returncode or not answer.exists():
            return Reply(seconds, {}, _reason(run.stderr))
        return Reply(seconds, json.loads(answer.read_text()))


def succeeded(reply: Reply) -> dict[str, Any]:
    """What a process found whose failure ends the bench.

    Raises
    ------
    BayesdlError
        If it failed.
    """
    if reply.error:
        raise BayesdlError(
            "the measurement of this machine failed.",
            facts=[("its last line", reply.error)],
            fix="run `bayesdl doctor` and see what is missing.",
            code="B101",
        )
    return reply.found


def _reason(stderr: str) -> str:
    """The line that names an error, or the last one; some libraries write notes after the error."""
    lines = [line for line in stderr.splitlines() if line.strip()] or ["no reply"]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (named or lines)[-1]


def installed(python: str, names: Sequence[str]) -> list[str]:
    """Those of the competitors that an interpreter can import.

    Raises
    ------
    ArgumentError
        If there is no such interpreter.
    """
    wanted = {name: NEEDS[name] for name in names}
    code = (
        "import importlib.util as u, json, sys\n"
        "wanted = json.loads(sys.argv[1])\n"
        "print(json.dumps([n for n, m in wanted.items() if all(map(u.find_spec, m))]))"
    )
    try:
        run = subprocess.run(
            [python, "-c", code, json.dumps(wanted)], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise ArgumentError(
            "the interpreter for the peers does not run.",
            facts=[("--peers-python", python)],
            fix="give the path of a Python with the peers: pip install 'bayesdl[bench]'.",
            code="A109",
        ) from None
    return list(json.loads(run.stdout))

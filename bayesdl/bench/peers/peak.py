"""What this machine can do on one thread: arithmetic and bandwidth, both by BLAS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import scipy.linalg.blas as blas
from harness import median_microseconds, reply, request, use_cores

use_cores(1)
SIZE = 512
IN_CACHE, IN_MEMORY = 2**20, 2**28


def flops_per_second(gemm: Any, dtype: Any) -> float:
    """Of a square matrix product."""
    a = np.asfortranarray(np.random.default_rng(0).random((SIZE, SIZE)), dtype=dtype)

    def run(count: int) -> None:
        for _ in range(count):
            gemm(1.0, a, a)

    return 2e6 * SIZE**3 / median_microseconds(run, 9)[0]


def bytes_per_second(size: int) -> float:
    """Of two arrays read together, or of one, so many bytes in all: the faster of the two."""
    x, y, both = np.ones(size // 16), np.ones(size // 16), np.ones(size // 8)

    def two(count: int) -> None:
        for _ in range(count):
            blas.ddot(x, y)

    def one(count: int) -> None:
        for _ in range(count):
            blas.dasum(both)

    return 1e6 * size / min(median_microseconds(run, 9)[0] for run in (two, one))


if __name__ == "__main__":
    request()
    reply(
        {
            "float64": flops_per_second(blas.dgemm, np.float64),
            "float32": flops_per_second(blas.sgemm, np.float32),
            "cache": bytes_per_second(IN_CACHE),
            "memory": bytes_per_second(IN_MEMORY),
        }
    )

"""`import bayesdl` costs little more than `import numpy`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

HEAVY = {
    "arviz",
    "h5netcdf",
    "jax",
    "llvmlite",
    "matplotlib",
    "pandas",
    "rich",
    "scipy",
    "sklearn",
    "threadpoolctl",
    "xarray",
}


def test_loads_nothing_heavy() -> None:
    """The heavy packages load when they are used."""
    code = "import sys, bayesdl; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "bayesdl" in loaded
    assert not loaded & HEAVY


def test_a_fit_loads_only_what_compiles() -> None:
    """From the model to the summary: LLVM and the thread control, no SciPy, no xarray."""
    code = """if True:
        import sys
        import numpy as np
        import bayesdl as bdl
        from bayesdl import dist
        def location(y):
            mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
            bdl.observe("y", dist.Normal(mu, 1.0), y)
        post = bdl.fit(location, 2.0, draws=20, tune=20, random_seed=0, progressbar=False)
        str(post.summary())
        print(*{name.partition(".")[0] for name in sys.modules})
        """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & HEAVY == {"llvmlite"}


@pytest.mark.slow
@pytest.mark.ci
def test_takes_at_most_half_as_long_again_as_numpy() -> None:
    """Median of ten processes each, taken in turns; a busy machine slows both."""
    seconds: dict[str, list[float]] = {"numpy": [], "bayesdl": []}
    for _ in range(10):
        for package, taken in seconds.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {package}"], check=True)
            taken.append(time.perf_counter() - start)
    numpy, ours = (statistics.median(taken) for taken in seconds.values())
    assert ours <= 1.5 * numpy, f"numpy {numpy:.3f} s, bayesdl {ours:.3f} s"

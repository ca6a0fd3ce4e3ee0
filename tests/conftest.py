"""What holds for every test: the checker is on, the cache is private, random cases are repeatable.

Warnings are errors (pyproject.toml). The seed of a test is written in the test.
"""

from __future__ import annotations

import os
import tempfile

import numpy as np
import pytest
from hypothesis import settings

# The switches are read when bayesdl is first imported, so they are set before any test module is.
os.environ["BAYESDL_CHECK"] = "1"
os.environ["BAYESDL_CACHE"] = tempfile.mkdtemp(prefix="bayesdl-tests-")
os.environ.setdefault("MPLBACKEND", "agg")

# `derandomize`: a test that passed passes again. `deadline=None`: a busy machine is no failure.
settings.register_profile("bayesdl", derandomize=True, deadline=None, database=None)
settings.load_profile("bayesdl")


@pytest.fixture
def rng() -> np.random.Generator:
    """A random generator with one seed for all tests."""
    return np.random.default_rng(20240229)

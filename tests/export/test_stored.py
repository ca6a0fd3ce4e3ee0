"""Stored functions against new data: what fits, and what is said of what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl import dist
from bayesdl._base.errors import BayesdlError
from bayesdl.export.functions import ModelFunctions
from bayesdl.export.recording import record
from bayesdl.export.records import from_record, to_record
from bayesdl.export.stored import StoredFunctions
from bayesdl.ir.types import ArrayType
from bayesdl.model import as_model

F64 = np.dtype(float)
X, COUNTY, Y = np.arange(12.0).reshape(6, 2), np.arange(6) % 2, np.zeros(6)


def slopes(x: Any, county: Any, degree: int = 1, y: Any = None) -> None:
    a = bdl.sample("a", dist.Normal(0.0, 1.0).expand((2,)))
    with bdl.plate("rows", len(county)):
        bdl.sample("y", dist.Normal((x**degree).sum(axis=1) + a[county], 1.0), obs=y)


@pytest.fixture(scope="module")
def stored() -> StoredFunctions:
    functions = ModelFunctions(as_model(slopes), F64, ((X, COUNTY, 2, Y), {}))
    found = record(functions, {"a": ArrayType((2,), F64)})
    assert found is not None
    return from_record(*to_record(found), {"x": X, "county": COUNTY, "y": Y})


def test_without_arguments_the_fitted_data_stand_in(stored: StoredFunctions) -> None:
    assert [d.shape for d in stored.prepare("y", (), {}).data] == [(6, 2), (6,)]
    np.testing.assert_array_equal(stored.observed((), {})["y"], Y)


def test_whole_numbers_pass_for_floats(stored: StoredFunctions) -> None:
    assert stored.prepare("y", (X[:3].astype(int), COUNTY[:3], 2), {}).data[0].dtype == F64


BAD: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "columns": (
        (X[:, :1], COUNTY, 2),
        {},
        "the argument `x` does not fit the model as it was fitted.\n"
        "    given   float64[6, 1]\n"
        "    fitted  float64[rows, 2]\n",
    ),
    "axes": ((X[0], COUNTY, 2), {}, "the argument `x` does not fit the model as it was fitted."),
    "rows": (
        (X[:4], COUNTY[:3], 2),
        {},
        "two arguments have different numbers of rows.\n    x       4 rows\n    county  3 rows\n",
    ),
    "dtype": (
        (X, COUNTY * 1.0, 2),
        {},
        "the argument `county` has another dtype than the model was fitted to.\n"
        "    given   float64\n"
        "    fitted  int64\n"
        "  Fix: county.astype(int64).\n",
    ),
    "setting": (
        (X, COUNTY, 3),
        {},
        "the file keeps predictions of slopes for other arguments.\n"
        "    `degree` fitted  2\n"
        "    `degree` given   3\n",
    ),
    "default": ((X, COUNTY), {}, "the file keeps predictions of slopes for other arguments."),
    "missing": ((X,), {}, "model slopes does not take these arguments: missing a required"),
    "unknown": ((X, COUNTY, 2), {"z": 1}, "model slopes does not take these arguments"),
}


@pytest.mark.parametrize("case", BAD)
def test_data_that_do_not_fit(case: str, stored: StoredFunctions) -> None:
    args, kwargs, text = BAD[case]
    with pytest.raises(BayesdlError) as caught:
        stored.prepare("y", args, kwargs)
    assert str(caught.value).startswith(text)


def test_handlers_need_the_source(stored: StoredFunctions) -> None:
    with bdl.do({"a": np.zeros(2)}), pytest.raises(BayesdlError, match="without other handlers"):
        stored.prepare("y", (X, COUNTY, 2), {})


def test_data_outside_the_support_are_refused_as_with_the_source() -> None:
    def waits(x: Any, y: Any = None) -> None:
        rate = bdl.sample("rate", dist.Gamma(2.0, 1.0))
        bdl.sample("y", dist.Exponential(rate * x), obs=y)

    args = np.ones(4), np.ones(4)
    found = record(ModelFunctions(as_model(waits), F64, (args, {})), {"rate": ArrayType((), F64)})
    assert found is not None
    assert found.prepare("log_likelihood", args, {}).data
    with pytest.raises(BayesdlError) as caught:
        found.prepare("log_likelihood", (np.ones(3), np.array([1.0, -2.0, -1.0])), {})
    assert str(caught.value).startswith(
        'the data of site "y" lie outside the support of its distribution.\n'
        "    first    y[1] = -2.0\n"
        "    outside  2 of 3\n"
    )


def test_programs_of_another_version_say_so(stored: StoredFunctions) -> None:
    kept, arrays = to_record(stored)
    kept["functions"]["y"]["program"] = kept["functions"]["y"]["program"].replace("add", "plus")
    with pytest.raises(BayesdlError, match="cannot be read: no primitive named 'plus'"):
        from_record(kept, arrays, {}).prepare("y", (X, COUNTY, 2), {})

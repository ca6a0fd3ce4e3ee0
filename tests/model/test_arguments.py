"""What comes through the door, and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesdl as bdl
from bayesdl._base.errors import ArgumentError, DtypeError
from bayesdl.model.arguments import read_arguments


@bdl.model
def anything(x: Any, y: Any = None, *, setting: Any = "a") -> Any:
    """Return what was passed."""
    return x, y, setting


def test_arrays_are_inputs_and_settings_are_fixed() -> None:
    """Floats, arrays and lists of numbers are data; ints, strings, None, callables are not."""
    found = read_arguments(
        anything, ({"a": [1, 2], "b": (2.0, 7, np.float32(1.0))}, None), {"setting": len}
    )
    assert found.labels == ("x.a", "x.b[0]", "x.b[2]")
    assert [a.dtype.name for a in found.arrays] == ["int64", "float64", "float64"]
    x, y, setting = found.call(anything, ["A", "B", "C"])
    assert (x, y, setting) == ({"a": "A", "b": ("B", 7, "C")}, None, len)


def test_dtypes_become_those_of_programs() -> None:
    """Floats take the asked dtype, small integers widen, bools stay."""
    given = (np.arange(3, dtype=np.int8), (np.ones(2, bool), np.ones(2, np.float16), np.ones(2)))
    dtypes = [a.dtype.name for a in read_arguments(anything, given, dtype=np.float32).arrays]
    assert dtypes == ["int32", "bool", "float32", "float32"]


def test_arrays_begin_at_a_cache_line_and_large_ones_are_not_copied() -> None:
    room = np.arange(3 * 2**18 + 1, dtype=np.float64)
    small, large = room[1:101].reshape(20, 5), np.ones(2**21 + 2)[1:]
    (found,) = read_arguments(anything, (small,)).arrays
    assert found.ctypes.data % 64 == 0
    np.testing.assert_array_equal(found, small)
    (found,) = read_arguments(anything, (large,)).arrays
    assert np.shares_memory(found, large)


def test_labels_of_frames_and_labelled_arrays_are_kept() -> None:
    """Column names by the argument's name, coordinates by dimension."""
    pd = pytest.importorskip("pandas")
    xr = pytest.importorskip("xarray")
    frame = pd.DataFrame({"age": [1.0, 2.0], "bmi": [3.0, 4.0]})
    labelled = xr.DataArray(np.zeros(2), dims=("site",), coords={"site": ["u", "v"]})
    found = read_arguments(anything, (frame, labelled))
    assert found.arrays[0].tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert found.coords == {"x": ["age", "bmi"], "site": ["u", "v"]}
    assert read_arguments(anything, (frame["age"],)).arrays[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "value",
    [
        np.array(["a", "b"]),
        np.array([1.0, None], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        1.0 + 2.0j,
        ["a", "b"],
        [[1.0], [1.0, 2.0]],
    ],
    ids=["strings", "objects", "dates", "complex", "list of strings", "ragged"],
)
def test_what_is_not_numbers_is_refused(value: Any) -> None:
    """The argument is named."""
    with pytest.raises(DtypeError, match="the argument `y`"):
        read_arguments(anything, (1.0, value))


def test_missing_values_are_refused() -> None:
    """NaN and masked elements; the rows are named."""
    y = np.array([1.0, np.nan, 3.0, np.nan])
    with pytest.raises(ArgumentError, match="missing") as error:
        read_arguments(anything, (y,))
    assert ("missing", "2 of 4 values") in error.value.facts
    assert ("rows", "1, 3") in error.value.facts
    with pytest.raises(ArgumentError, match="missing"):
        read_arguments(anything, (np.ma.masked_equal([1, 2, 3], 2),))


def test_unknown_arguments_are_refused() -> None:
    """With the one that was meant."""
    with pytest.raises(ArgumentError, match="anything") as error:
        read_arguments(anything, (1.0,), {"settin": "b"})
    assert error.value.fix == "did you mean setting=?"
    with pytest.raises(ArgumentError, match="missing a required argument"):
        read_arguments(anything, ())

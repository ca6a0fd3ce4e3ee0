"""Types print in the text format, and read back."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl.ir.types import NAMES, ArrayType, parse_type, type_of


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 5)])
def test_types_read_back(name: str, shape: tuple[int, ...]) -> None:
    kind = ArrayType(shape, NAMES[name])
    assert parse_type(repr(kind)) == kind


def test_size_and_dropping_axes() -> None:
    kind = ArrayType((2, 3, 4), np.dtype(np.float32))
    assert (kind.size, kind.ndim, kind.is_float) == (24, 3, True)
    assert kind.drop((0, 2)) == ArrayType((3,), np.dtype(np.float32))
    assert ArrayType((), np.dtype(np.int64)).size == 1


def test_equal_types_are_one_key() -> None:
    assert {type_of(np.zeros(3)), type_of(np.ones(3)), type_of(np.zeros(3, np.float32))} == {
        parse_type("f64[3]"),
        parse_type("f32[3]"),
    }


def test_foreign_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="float16"):
        type_of(np.zeros(2, np.float16))

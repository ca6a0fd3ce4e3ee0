"""Every bijector in the registry obeys every law, on every one of its examples."""

from __future__ import annotations

from typing import Any

import pytest

from bayesdl import bijectors
from bayesdl.bijectors import BIJECTORS, Bijector
from bayesdl.ops import numpy as bnp
from bayesdl.testing.bijectors import LAWS, check_bijector
from bayesdl.testing.laws import BrokenLaw


@pytest.mark.parametrize("name", BIJECTORS)
@pytest.mark.parametrize("law", LAWS)
def test_law(name: str, law: str) -> None:
    check_bijector(BIJECTORS[name], (law,))


class WrongDeterminant(Bijector):
    """exp with the determinant of the identity."""

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return bnp.exp(x), bnp.zeros_like(x)

    def inverse(self, y: Any) -> Any:
        return bnp.log(y)


class WrongInverse(bijectors.Bijector):
    """exp with the inverse of the identity."""

    def forward_and_log_det(self, x: Any) -> tuple[Any, Any]:
        return bnp.exp(x), x

    def inverse(self, y: Any) -> Any:
        return y


def test_a_wrong_determinant_is_found() -> None:
    with pytest.raises(BrokenLaw, match="log-det = Jacobian"):
        check_bijector(WrongDeterminant)


def test_a_wrong_inverse_is_found() -> None:
    with pytest.raises(BrokenLaw, match="inverse ∘ forward = id"):
        check_bijector(WrongInverse)

"""Every distribution in the registry obeys every law, on every one of its examples.

Statistical laws: false-alarm rate 1e-6 for each comparison, seed 20240229
(bayesdl.testing.distributions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from bayesdl import constraints
from bayesdl.dist import DISTRIBUTIONS, Distribution
from bayesdl.dist._base import parameter
from bayesdl.ops import random
from bayesdl.testing.distributions import LAWS, check_distribution
from bayesdl.testing.laws import BrokenLaw

# Statistical, or compiled.
SLOW = ("draws", "scores", "native")


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("law", [law for law in LAWS if law not in SLOW])
def test_law(name: str, law: str) -> None:
    check_distribution(DISTRIBUTIONS[name], (law,))


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("law", SLOW)
def test_slow_law(name: str, law: str) -> None:
    check_distribution(DISTRIBUTIONS[name], (law,))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_has_examples(name: str) -> None:
    assert DISTRIBUTIONS[name].examples


@dataclass(frozen=True, eq=False, repr=False)
class Wrong(Distribution):
    """A normal distribution of scale 1 in which one thing is wrong."""

    loc: Any = parameter(constraints.real)  # noqa: RUF009  (a frozen record)

    support = constraints.real
    reference = "scipy.stats.norm(loc, 1)"
    examples = ((0.5,),)

    def _log_prob(self, x: Any) -> Any:
        return -0.5 * (x - self.loc) ** 2

    def _draw(self, key: Any, shape: tuple[int, ...]) -> Any:
        return self.loc + 0.2 + 1.2 * random.normal(key, shape, self._dtype)


@pytest.mark.parametrize(
    ("law", "message"),
    [("twin", "log_prob is SciPy's"), ("draws", "distance"), ("scores", "loc is off")],
)
def test_a_wrong_distribution_is_found(law: str, message: str) -> None:
    """The constant is missing, and the draws are 20 % too wide and too far to the right."""
    with pytest.raises(BrokenLaw, match=message):
        check_distribution(Wrong, (law,))

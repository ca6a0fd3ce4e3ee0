"""Every layer in the registry obeys every law, on every one of its examples."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from bayesdl import dist
from bayesdl._base.dataclass import dataclass
from bayesdl.nn._base import LAYERS, Example, Layer, Prior, weight
from bayesdl.ops import numpy as bnp
from bayesdl.testing.laws import BrokenLaw
from bayesdl.testing.layers import LAWS, check_layer

NORMAL = dist.Normal(0.0, 1.0)
WEIGHTS = {"weight": (3, 2)}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("law", LAWS)
def test_law(name: str, law: str) -> None:
    check_layer(LAYERS[name], (law,))


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_examples(name: str) -> None:
    assert LAYERS[name].examples


@dataclass(frozen=True)
class Wrong(Layer):
    """A layer that says, or does, one thing wrongly."""

    fault: str
    name: str = "wrong"
    prior: Prior = NORMAL

    examples: ClassVar[tuple[Example, ...]] = ()

    def __call__(self, x: Any) -> Any:
        name = "other.weight" if self.fault == "name" else f"{self.name}.weight"
        prior = NORMAL if self.fault == "prior" else self.prior
        w = weight(name, prior, 3, (3, 2), "weight", "wrong")
        if self.fault == "rows":
            x = x - bnp.mean(x, axis=0)
        if self.fault == "gradient":
            w = bnp.stop_gradient(w)
        y = bnp.matmul(x, w)
        if self.fault == "dtype":
            y = bnp.asarray(y, np.float64)
        return y[:, :1] if self.fault == "outputs" else y


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("name", "weights are those declared"),
        ("prior", "plain weights are parameters"),
        ("rows", "one row is a batch of one"),
        ("gradient", "derivatives"),
        ("dtype", "float32 stays float32"),
        ("outputs", "outputs have their shape"),
    ],
)
def test_a_wrong_layer_is_found(fault: str, message: str) -> None:
    right, wrong = (
        type("Case", (Wrong,), {"examples": (Example({"fault": f}, (4, 3), (4, 2), WEIGHTS),)})
        for f in ("", fault)
    )
    check_layer(right)
    with pytest.raises(BrokenLaw, match=message):
        check_layer(wrong)

"""Settings of variational inference, by name."""

from __future__ import annotations

from typing import Any

import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.infer.optim.rates import Cosine
from bayesdl.infer.vi.guides import FullRank
from bayesdl.infer.vi.settings import read_settings


def test_names_become_records() -> None:
    found = read_settings({"guide": "full_rank", "schedule": "cosine"})
    assert found == {"guide": FullRank(), "schedule": Cosine()}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"guide": "meanfield"}, "did you mean 'mean_field'"),
        ({"optimiser": "adamm"}, "did you mean 'adam'"),
        ({"estimator": "stl"}, "no such estimator"),
        ({"learning_rate": 0.0}, "a number above 0"),
        ({"clip_ratio": 0.0}, "a number above 0"),
        ({"samples": 0}, "whole numbers from 1 on"),
        ({"batch_size": 3.5}, "whole numbers from 1 on"),
        ({"kl_warmup": -1}, "whole numbers from 0 on"),
        ({"objective": "iwae"} | {"estimator": "sticking_the_landing"}, "doubly_reparametrised"),
        ({"objective": "iwae"}, "the guide's own"),
        ({"optimiser": "lbfgs"}, 'write guide="map"'),
        ({"optimiser": "lbfgs", "guide": "full_rank"}, "full_rank"),
        ({"optimiser": "lbfgs", "guide": "map", "batch_size": 10}, "leave batch_size out"),
        ({"optimiser": "lbfgs", "guide": "map", "learning_rate": 0.1}, "no rate is chosen"),
        ({"optimiser": "lbfgs", "guide": "map", "kl_warmup": 10}, "leave kl_warmup out"),
        ({"guide": "full_rank", "estimator": "local_reparametrised"}, 'guide="mean_field"'),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read_settings(settings)
    assert says in str(caught.value)

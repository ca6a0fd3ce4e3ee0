"""Settings of variational inference, by name."""

from __future__ import annotations

from typing import Any

import pytest

from bayesdl._base.errors import ArgumentError
from bayesdl.infer.optim.rates import Cosine
from bayesdl.infer.vi.guides import GUIDES, Delta, FullRank
from bayesdl.infer.vi.objectives import Renyi
from bayesdl.infer.vi.settings import read_settings


def test_names_become_records() -> None:
    found = read_settings({"guide": "full_rank", "schedule": "cosine"})
    assert found == {"guide": FullRank(), "schedule": Cosine()}


def test_a_point_has_two_names_and_one_record() -> None:
    assert read_settings({"guide": "delta"}) == read_settings({"guide": "map"})
    assert read_settings({"guide": "delta"})["guide"] == Delta()
    assert list(GUIDES.values()).count(Delta) == 1


@pytest.mark.parametrize("guide", [{}, {"guide": "full_rank"}, {"guide": "low_rank"}], ids=str)
def test_other_objectives_take_an_estimator_that_is_unbiased_for_them(guide: Any) -> None:
    for objective in ("iwae", Renyi(0.5)):
        found = read_settings({"objective": objective, **guide})
        assert found["estimator"] == "doubly_reparametrised"
    assert "estimator" not in read_settings({"objective": "elbo", **guide})
    for name in ("map", "iaf"):
        assert "estimator" not in read_settings({"objective": "iwae", "guide": name})


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
        ({"learning_rate": "0.1"}, "a number above 0"),
        ({"learning_rate": float("inf")}, "a number above 0"),
        ({"samples": True}, "whole numbers from 1 on"),
        ({"schedule": 0.5}, "a name, or a record: Rate"),
        ({"schedule": Cosine}, "write Cosine()"),
        ({"optimiser": 3}, "a name, or a record: Optimiser, LBFGS"),
        ({"objective": 0.0}, "a name, or a record: Renyi"),
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

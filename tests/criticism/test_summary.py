"""The summary: one row per scalar, ArviZ's column names, nothing dropped in silence."""

from __future__ import annotations

import numpy as np
import pytest

from bayesdl._base.errors import ArgumentError, ShapeError
from bayesdl.criticism import ess_bulk, ess_tail, mcse_mean, rhat, summary

RNG = np.random.default_rng(2)
DRAWS = {"mu": RNG.normal(size=(4, 100)), "w": RNG.normal(size=(4, 100, 2, 3)) + 5.0}


def test_names_and_columns():
    table = summary(DRAWS, ci_prob=0.8)
    assert list(table.names) == ["mu", *(f"w[{i}, {j}]" for i in range(2) for j in range(3))]
    assert list(table.columns) == [
        "mean", "sd", "eti80_lb", "eti80_ub", "ess_bulk", "ess_tail", "r_hat", "mcse_mean",
    ]  # fmt: skip


def test_each_row_is_its_scalar():
    table = summary(DRAWS)
    one = DRAWS["w"][:, :, 1, 2]
    expected = {
        "mean": one.mean(),
        "sd": one.std(ddof=1),
        "eti90_lb": np.quantile(one, 0.05),
        "eti90_ub": np.quantile(one, 0.95),
        "ess_bulk": ess_bulk(one),
        "ess_tail": ess_tail(one),
        "r_hat": rhat(one),
        "mcse_mean": mcse_mean(one),
    }
    row = list(table.names).index("w[1, 2]")
    for name, value in expected.items():
        np.testing.assert_allclose(table.columns[name][row], value, rtol=1e-12)


def test_prints_every_row_of_a_small_model():
    lines = str(summary(DRAWS)).splitlines()
    assert len(lines) == 2 + 7
    assert lines[2].startswith("mu")


def test_a_large_model_says_what_it_leaves_out_and_what_is_worst():
    draws = RNG.normal(size=(4, 50, 100))
    draws[0, :, 77] += 9.0
    table = summary({"w": draws})
    last = str(table).splitlines()[-1]
    assert "60 more rows" in last
    assert "at w[77]" in last
    assert "60 more rows" in table._repr_html_()


def test_constant_and_spoilt_scalars_have_no_diagnostics():
    draws = RNG.normal(size=(4, 50, 3))
    draws[..., 0] = 1.0
    draws[2, 7, 1] = np.inf
    table = summary({"x": draws})
    assert np.isnan(table.columns["r_hat"]).tolist() == [True, True, False]
    assert table.columns["mean"][0] == 1.0
    assert "nan" in str(table)


def test_data_frame_has_every_row():
    pytest.importorskip("pandas")
    frame = summary({"w": RNG.normal(size=(2, 50, 100))}).to_dataframe()
    assert frame.shape == (100, 8)
    assert frame.index[-1] == "w[99]"


def test_refuses_nothing_and_too_little():
    with pytest.raises(ArgumentError, match="nothing to summarise"):
        summary({})
    with pytest.raises(ArgumentError, match="at least two draws"):
        summary({"x": np.zeros((4, 0, 2))})
    with pytest.raises(ShapeError, match="chain, draw"):
        summary({"x": np.zeros(4)})
    with pytest.raises(ArgumentError, match="strictly between 0 and 1"):
        summary(DRAWS, ci_prob=90)

"""The text table: aligned, a sensible number of digits, nothing hidden."""

from __future__ import annotations

import pytest

from bayesdl.criticism import Table

TABLE = Table(
    ["method", "rmse", "r_hat", "seconds", "draws", "converged"],
    [
        ["nuts", 53.2, 1.0034, 123.44, 4000, True],
        ["<vi>", 54.111, None, 0.8, 12, False],
        ["dropout", float("nan"), None, 2.0, None, None],
    ],
    title="Diabetes",
    note="90 % intervals",
)


def test_text():
    assert str(TABLE) == "\n".join(
        [
            "Diabetes",
            "method    rmse  r_hat  seconds  draws  converged",
            "───────  ─────  ─────  ───────  ─────  ─────────",
            "nuts     53.20  1.003      123   4000  yes",
            "<vi>     54.11      -    0.800     12  no",
            "dropout    nan      -     2.00      -  -",
            "90 % intervals",
        ]
    )


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        ([1.0, 1.01], ["1.000", "1.010"]),
        ([0.0, 0.5], ["0.0000", "0.5000"]),
        ([1234.5, 999.4], ["1234", "999"]),
        ([1e-9, 1.0], ["1.00e-09", "1.00"]),
        ([1.5e9, 2.0], ["1.50e+09", "2.00"]),
        ([-0.001, 250.0], ["-0.00100", "250"]),
        ([0.0, 0.0], ["0", "0"]),
        ([float("inf"), 1.0], ["inf", "1.000"]),
        ([3e-7, 4e-7], ["3.00e-07", "4.00e-07"]),
    ],
)
def test_digits(cells, texts):
    lines = str(Table(["x"], [[c] for c in cells])).splitlines()[2:]
    assert [line.strip() for line in lines] == texts


def test_html_escapes_and_holds_every_cell():
    text = TABLE._repr_html_()
    assert "&lt;vi&gt;" in text
    assert "<caption>Diabetes</caption>" in text
    assert text.count("<tr>") == 4
    assert text.count("<td") == 18


def test_data_frame_is_unrounded():
    pytest.importorskip("pandas")
    frame = TABLE.to_dataframe()
    assert frame.loc["nuts", "r_hat"] == 1.0034
    assert list(frame.columns) == ["rmse", "r_hat", "seconds", "draws", "converged"]


def test_refuses_a_row_of_the_wrong_length():
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table(["a", "b"], [["x"]])


def test_no_rows():
    assert str(Table(["a", "b"], [])) == "a  b\n─  ─"

"""The summary of a posterior: one row per scalar, with what it is and how well it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.infer.draws import Moment

from ._blocks import quantiles
from ._checks import Floats, probability, real_array
from ._parts import parts
from .convergence import mcse_mean, mixing
from .table import Cell, Table

if TYPE_CHECKING:
    import pandas

_SHOWN = 40
KHAT_LIMIT = 0.7
"""Above it, importance sampling from an approximation cannot mend it (Vehtari et al. 2024)."""


@dataclass(frozen=True)
class SummaryTable:
    """What `summary` found: column arrays with one entry per scalar quantity.

    Parameters
    ----------
    names : sequence of str, length rows
        ``sigma``, ``theta[0]``, ``weights[3, 1]``, …
    columns : mapping of str to array, shape (rows,)
        In the order in which they are printed.
    khat : float, optional
        Pareto k-hat of the approximation that the draws come from.

    Notes
    -----
    Printing stops after 40 rows and says how many are left out and which of all rows is worst;
    `to_dataframe` has every row.
    """

    names: Sequence[str]
    columns: Mapping[str, Floats]
    khat: float | None = None

    def __str__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def to_dataframe(self) -> pandas.DataFrame:
        """All rows, unrounded, as a data frame indexed by name."""
        import pandas

        return pandas.DataFrame(dict(self.columns), index=list(self.names))

    def _table(self) -> Table:
        rows: list[list[Cell]] = [
            [name, *(self._cell(key, i) for key in self.columns)]
            for i, name in enumerate(self.names[:_SHOWN])
        ]
        left = len(self.names) - len(rows)
        more = f"… {left} more rows{self._worst()}; to_dataframe() has them all." if left else ""
        notes = [more, *([] if self.khat is None else [khat_note(self.khat)])]
        return Table(["", *self.columns], rows, note="\n".join(filter(None, notes)))

    def _cell(self, key: str, i: int) -> Cell:
        value = float(self.columns[key][i])
        return round(value) if key.startswith("ess_") and np.isfinite(value) else value

    def _worst(self) -> str:
        values = self.columns["r_hat"]
        if not np.isfinite(values).any():
            return ""
        i = int(np.nanargmax(values))
        return f"; largest r_hat of all {values[i]:.3f} at {self.names[i]}"


def khat_note(khat: float) -> str:
    """What a k-hat says, in one line."""
    said = "the approximation misses the posterior's tails: compare with nuts before use"
    return f"khat {khat:.2f}, " + (f"above {KHAT_LIMIT}: {said}." if khat > KHAT_LIMIT else "good.")


def summary(
    draws: Mapping[str, ArrayLike], ci_prob: float = 0.9, *, khat: float | None = None
) -> SummaryTable:
    """Mean, spread, interval, effective sample sizes, R-hat and Monte Carlo error of every scalar.

    Parameters
    ----------
    draws : mapping of str to array, shape (chain, draw, *shape)
        Draws by site name, in the sites' own units.
    ci_prob : float
        Probability inside the equal-tailed interval; its columns are named after it as in ArviZ,
        ``eti90_lb`` and ``eti90_ub``.
    khat : float, optional
        Of the approximation that the draws come from; a line below the table says what it means.

    Returns
    -------
    SummaryTable
        Columns mean, sd, eti…_lb, eti…_ub, ess_bulk, ess_tail, r_hat, mcse_mean.

    Raises
    ------
    ArgumentError
        If there are no arrays or fewer than two draws, or ci_prob is not strictly between 0 and 1.
    ShapeError
        If an array has fewer than two axes.

    Notes
    -----
    A scalar that is constant or not finite has NaN for its diagnostics, as in `rhat`.

    Examples
    --------
    >>> import numpy as np
    >>> table = summary({"theta": np.random.default_rng(0).normal(size=(4, 250, 2))})
    >>> list(table.names)
    ['theta[0]', 'theta[1]']
    >>> bool((table.columns["r_hat"] < 1.02).all())
    True
    """
    probability("ci_prob", ci_prob)
    if not draws:
        raise ArgumentError(
            "there is nothing to summarise.",
            facts=[("draws", "an empty mapping")],
            fix="pass {name: array of shape (chain, draw, *shape)}.",
            where=user_source(),
            code="K106",
        )
    names: list[str] = []
    found: list[dict[str, Floats]] = []
    for name, values in draws.items():
        for part in parts(values):
            columns = _columns(name, real_array(name, part), ci_prob)
            found.append({key: np.ravel(column) for key, column in columns.items()})
        names.extend(element_names(name, np.shape(values)[2:]))
    return SummaryTable(
        tuple(names),
        {key: np.concatenate([part[key] for part in found]) for key in found[0]},
        khat,
    )


def summary_of_moments(moments: Mapping[str, Moment]) -> SummaryTable:
    """The summary of quantities whose draws were not kept: no intervals, R-hat without ranks.

    Parameters
    ----------
    moments : mapping of str to Moment
    """
    names = [row for n, m in moments.items() for row in element_names(n, np.shape(m.mean))]

    def column(word: str) -> Floats:
        return np.concatenate([np.ravel(getattr(m, word)) for m in moments.values()])

    sd, ess = column("sd"), column("ess")
    found = {"mean": column("mean"), "sd": sd, "ess_mean": ess, "r_hat": column("r_hat")}
    return SummaryTable(tuple(names), {**found, "mcse_mean": sd / np.sqrt(ess)})


def _columns(name: str, array: Floats, ci_prob: float) -> dict[str, Floats]:
    # These come first because that checks the shape that the others take for granted.
    r_hat, bulk, tails = mixing(array)
    if array.shape[0] * array.shape[1] < 2:
        raise ArgumentError(
            "a summary needs at least two draws.",
            facts=[(name, f"shape {array.shape}", "(chain, draw, *shape)")],
            fix="run longer.",
            where=user_source(),
            code="K105",
        )
    tail = (1.0 - ci_prob) / 2.0
    label = f"eti{100 * ci_prob:g}"
    with np.errstate(invalid="ignore"):
        pooled = np.moveaxis(array.reshape(-1, *array.shape[2:]), 0, -1)
        low, high = quantiles(pooled, [tail, 1.0 - tail])
        mean, sd = array.mean(axis=(0, 1)), array.std(axis=(0, 1), ddof=1)
    return {
        "mean": mean,
        "sd": sd,
        f"{label}_lb": low,
        f"{label}_ub": high,
        "ess_bulk": bulk,
        "ess_tail": tails,
        "r_hat": r_hat,
        "mcse_mean": mcse_mean(array),
    }


def element_names(name: str, shape: tuple[int, ...]) -> Iterator[str]:
    """``theta[0]``, ``theta[1]``, … of a site, or its bare name."""
    for index in np.ndindex(*shape):
        yield f"{name}[{', '.join(map(str, index))}]" if index else name

"""The nine UCI regression sets with their official splits, and what was published on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError

Floats = np.ndarray[Any, np.dtype[np.float64]]
Row = tuple[float, float | None]


@dataclass(frozen=True)
class Published:
    """One set: its file, the precisions of the MC-dropout protocol, and published scores.

    Parameters
    ----------
    file : str
        Name of its ``.npz`` file, without the ending.
    precisions : tuple of float
        Of the noise, in the target's own unit.
    rmse, ll : dict of str to (mean, standard error)
        By method; over the official splits. The error is None where none was printed.
    hidden : int
        Units of the hidden layer.
    epochs : int
        Of the MC-dropout protocol.
    """

    file: str
    precisions: tuple[float, ...]
    rmse: dict[str, Row]
    ll: dict[str, Row]
    hidden: int = 50
    epochs: int = 4000


def _set(
    file: str,
    precisions: tuple[float, ...],
    dropout: tuple[Row, Row],
    pbp: tuple[Row, Row],
    vi: tuple[Row, Row],
    dvi: float,
    **others: int,
) -> Published:
    rmse = {"mc_dropout": dropout[0], "pbp": pbp[0], "vi (Graves)": vi[0]}
    ll: dict[str, Row] = {"mc_dropout": dropout[1], "pbp": pbp[1], "vi (Graves)": vi[1]}
    return Published(file, precisions, rmse, {**ll, "dvi": (dvi, None)}, **others)


# MC dropout: Gal & Ghahramani (2016) with the grid protocol that its authors published in 2018;
# PBP and VI: Hernández-Lobato & Adams (2015), tables 3 and 4; DVI: Wu et al. (2019).
SETS: dict[str, Published] = {
    "boston": _set(
        "bostonHousing",
        (0.1, 0.15, 0.2),
        ((2.904, 0.177), (-2.402, 0.042)),
        ((3.01, 0.18), (-2.57, 0.09)),
        ((4.32, 0.29), (-2.90, 0.07)),
        -2.41,
    ),
    "concrete": _set(
        "concrete",
        (0.025, 0.05, 0.075),
        ((4.826, 0.161), (-2.937, 0.025)),
        ((5.67, 0.09), (-3.16, 0.02)),
        ((7.19, 0.12), (-3.39, 0.02)),
        -3.06,
    ),
    "energy": _set(
        "energy",
        (0.25, 0.5, 0.75),
        ((0.539, 0.014), (-1.212, 0.005)),
        ((1.80, 0.05), (-2.04, 0.02)),
        ((2.65, 0.08), (-2.39, 0.03)),
        -1.01,
    ),
    "kin8nm": _set(
        "kin8nm",
        (150.0, 200.0, 250.0),
        ((0.0789, 0.0006), (1.136, 0.007)),
        ((0.10, 0.00), (0.90, 0.01)),
        ((0.10, 0.00), (0.90, 0.01)),
        1.13,
    ),
    "naval": _set(
        "naval-propulsion-plant",
        (30000.0, 40000.0, 50000.0),
        ((0.00074, 0.00005), (4.450, 0.002)),
        ((0.01, 0.00), (3.73, 0.01)),
        ((0.01, 0.00), (3.73, 0.12)),
        6.29,
    ),
    "power": _set(
        "power-plant",
        (0.05, 0.1, 0.15),
        ((4.014, 0.037), (-2.808, 0.009)),
        ((4.12, 0.03), (-2.84, 0.01)),
        ((4.33, 0.04), (-2.89, 0.01)),
        -2.80,
    ),
    "protein": _set(
        "protein-tertiary-structure",
        (0.025, 0.05, 0.075),
        ((4.274, 0.021), (-2.871, 0.001)),
        ((4.73, 0.01), (-2.97, 0.00)),
        ((4.84, 0.03), (-2.99, 0.01)),
        -2.85,
        hidden=100,
        epochs=2000,
    ),
    "wine": _set(
        "wine-quality-red",
        (2.5, 3.0, 3.5),
        ((0.622, 0.008), (-0.928, 0.013)),
        ((0.64, 0.01), (-0.97, 0.01)),
        ((0.65, 0.01), (-0.98, 0.01)),
        -0.90,
    ),
    "yacht": _set(
        "yacht",
        (0.25, 0.5, 0.75),
        ((0.666, 0.049), (-1.250, 0.015)),
        ((1.02, 0.05), (-1.63, 0.02)),
        ((6.89, 0.67), (-3.43, 0.16)),
        -0.47,
    ),
}


@dataclass(frozen=True)
class Split:
    """Training and test rows of one split, standardised with the training rows.

    Parameters
    ----------
    x, x_test : array, shape (rows, features)
    y, y_test : array, shape (rows,)
    spread : float
        Standard deviation of the target, in its own unit.
    """

    x: Floats
    y: Floats
    x_test: Floats
    y_test: Floats
    spread: float

    def scores(self, mean: Floats, log_density: Floats) -> tuple[float, float]:
        """RMSE and mean log likelihood in the target's own unit.

        Parameters
        ----------
        mean, log_density : array, shape (test rows,)
            Of the predictions, standardised.
        """
        error = float(np.sqrt(np.mean((mean - self.y_test) ** 2)))
        return self.spread * error, float(log_density.mean()) - float(np.log(self.spread))


def count_splits(folder: str | Path, name: str) -> int:
    """How many splits a set has."""
    return len(_stored(folder, name)["train"])


def read_split(folder: str | Path, name: str, split: int) -> Split:
    """One split of a set, its training rows in their published order.

    Parameters
    ----------
    folder : path
        Holds ``NAME.npz`` files with X, y and the indices train and test.
    name : str
        A key of `SETS`.
    split : int

    Raises
    ------
    ArgumentError
        If the file is not there.
    """
    stored = _stored(folder, name)
    train, test = stored["train"][split], stored["test"][split]
    x, y = stored["X"].astype(float), stored["y"].astype(float)
    (m, s), (centre, spread) = _scale(x[train]), _scale(y[train])
    z, t = (x - m) / s, (y - centre) / spread
    return Split(z[train], t[train], z[test], t[test], float(spread))


def _stored(folder: str | Path, name: str) -> Any:
    path = Path(folder) / f"{SETS[name].file}.npz"
    if not path.exists():
        raise ArgumentError(
            f"the data of {name} are not there.",
            facts=[("file", path)],
            fix="name their folder with --data: one .npz file a set, with X, y, train and test.",
            code="A109",
        )
    return np.load(path)


def _scale(x: Floats) -> tuple[Any, Any]:
    spread = x.std(axis=0)
    return x.mean(axis=0), np.where(spread == 0.0, 1.0, spread)

"""``bayesdl demo``: one Bayesian network, three methods, one table, on real data."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import bayesdl as bdl
from bayesdl import dist, nn
from bayesdl._base.errors import ArgumentError
from bayesdl.criticism.compare import compare
from bayesdl.criticism.plots import plot_predictions


@bdl.model
def regression(x: Any, y: Any = None) -> None:
    """A network with one hidden layer of 50 tanh units and learned noise."""
    f = nn.MLP(hidden=(50,), out=1, activation="tanh")(x)[:, 0]
    sigma = bdl.sample("sigma", dist.HalfNormal(1.0))
    with bdl.plate("rows", x.shape[0]):
        bdl.sample("y", dist.Normal(f, sigma), obs=y)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--out", default="bayesdl-demo", help="folder for the plot and the results")
    parser.add_argument("--draws", type=int, default=500, help="draws per chain")
    parser.add_argument("--tune", type=int, default=500, help="warm-up steps per chain")
    parser.add_argument(
        "--small", action="store_true", help="a few draws only, to see that it runs"
    )


def run(options: argparse.Namespace) -> int:
    """Fit, compare, plot and save."""
    folder = Path(options.out)
    x, y, x_test, y_test = diabetes()
    rows = f"{len(x)} rows, {len(x_test)} held out, {x.shape[1]} features"
    print(f"data: scikit-learn's diabetes, {rows}")
    print("model: 10 → 50 tanh → 1, weights Normal(0, 1/√fan_in), noise learned: 602 parameters\n")
    small = (
        {"draws": 20, "tune": 20}
        if options.small
        else {"draws": options.draws, "tune": options.tune}
    )
    settings: dict[str, dict[str, Any]] = {
        "nuts": {**small, "chains": 4},
        "advi": {"draws": 50 if options.small else 1000},
        "mc_dropout": {"draws": 50 if options.small else 1000},
    }
    fits = {}
    for method, arguments in settings.items():
        start = time.perf_counter()
        fits[method] = bdl.fit(regression, x, y, method=method, random_seed=1, **arguments)
        print(f"{method}: {time.perf_counter() - start:.1f} s\n", flush=True)
    table = compare(fits, x_test, y_test)
    print(table)
    ridge = ridge_nlpd(x, y, x_test, y_test)
    print(f"\nBayesian ridge (scikit-learn) on the same rows: NLPD {ridge:.4f}")
    print(
        _verdict(
            {n: float(v) for n, v in table.column("nlpd").items() if isinstance(v, float)}, ridge
        )
    )
    _save(folder, fits, x_test, y_test)
    return 0


def diabetes() -> tuple[Any, Any, Any, Any]:
    """Standardised training and held-out rows of scikit-learn's diabetes data.

    Returns
    -------
    x, y, x_test, y_test : arrays, shapes (353, 10), (353,), (89, 10), (89,)
        Standardised with the training rows' mean and population sd; y too.
    """
    load_diabetes = _extra("sklearn.datasets").load_diabetes
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[: len(y) * 4 // 5], order[len(y) * 4 // 5 :]
    centre, spread = x[train].mean(0), x[train].std(0)
    z, (m, s) = (x - centre) / spread, (y[train].mean(), y[train].std())
    return z[train], (y[train] - m) / s, z[test], (y[test] - m) / s


def ridge_nlpd(x: Any, y: Any, x_test: Any, y_test: Any) -> float:
    """Negative log predictive density, nats per row, of scikit-learn's Bayesian ridge."""
    ridge = _extra("sklearn.linear_model").BayesianRidge().fit(x, y)
    mean, sd = ridge.predict(x_test, return_std=True)
    density = -0.5 * ((y_test - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    return float(-density.mean())


def _verdict(nlpd: dict[str, float], ridge: float) -> str:
    better = [name for name, value in nlpd.items() if value < ridge]
    if len(better) == len(nlpd):
        return "All three beat it."
    if not better:
        return "None of the three beats it: on these nearly linear data the net has nothing to add."
    others = [name for name in nlpd if name not in better]
    return f"Better than it: {', '.join(better)}; not better: {', '.join(others)}."


def _save(folder: Path, fits: dict[str, Any], x_test: Any, y_test: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    predictions = {name: _flat(fit.predict(x_test)["y"]) for name, fit in fits.items()}
    figure = plot_predictions(y=y_test, predictions=predictions)
    figure.savefig(folder / "predictions.png", dpi=130)
    for name, fit in fits.items():
        fit.save(folder / f"{name}.nc", overwrite=True)
    names = ", ".join(f"{name}.nc" for name in fits)
    print(f"\nsaved in {folder}/: predictions.png, {names}")
    print(
        "next:\n"
        f'  post = bayesdl.load("{folder}/nuts.nc"); post.summary(); post.predict(x_new)["y"]\n'
        "  swap the model: another activation, another likelihood, method='hmc'\n"
        "  bayesdl doctor   what this machine has"
    )


def _flat(draws: Any) -> Any:
    """Draws of all chains along one axis."""
    return draws.reshape(-1, *draws.shape[2:])


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise ArgumentError(
            "the demo needs scikit-learn and matplotlib.",
            fix=f'{sys.executable} -m pip install "bayesdl[demo]"',
            code="A103",
        ) from None

"""Simulation-based calibration: whether posteriors contain the truth as often as they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.infer.each import EachDraw
from bayesdl.infer.methods import KERNELS
from bayesdl.infer.run import compile_kernel, run
from bayesdl.model import as_model
from bayesdl.model.density import Density, build_density
from bayesdl.ops import special
from bayesdl.pipeline import jit

from ._simulated import Arrays, given_data, simulated
from .table import Table

BINS = 20
LOG_DENSITY = "log density"


@dataclass(frozen=True)
class Calibration:
    """Where each simulated truth ranks among the draws of the posterior of its own data.

    Parameters
    ----------
    ranks : dict of name to int array, shape (simulations, *shape)
        From 0 to `draws`; of every latent site, and of the log density.
    draws : int
        Draws that a truth is ranked among.

    Notes
    -----
    Ranks are uniform if simulator, density and method agree. The log density is ranked too: it sees
    errors, such as data that are ignored, that no single parameter shows [1]_.

    References
    ----------
    .. [1] Modrák et al. (2023), Simulation-based calibration checking for Bayesian computation:
       the choice of test quantities shapes sensitivity, Bayesian Analysis.
    """

    ranks: Mapping[str, np.ndarray[Any, Any]]
    draws: int

    def p_values(self) -> Arrays:
        """Of the χ² test that ranks are uniform over 20 bins; shape of the site."""
        return {name: _p_values(ranks, self.draws) for name, ranks in self.ranks.items()}

    @property
    def p_value(self) -> float:
        """The smallest of them, times their number (Bonferroni), at most 1."""
        each = np.concatenate([np.ravel(p) for p in self.p_values().values()])
        return float(min(1.0, each.min() * each.size))

    def table(self) -> Table:
        """Mean rank, as a fraction, and the smallest p value, by site."""
        p_values = self.p_values()
        rows = [
            (name, ranks[0].size, float(np.mean(ranks) / self.draws), float(p_values[name].min()))
            for name, ranks in self.ranks.items()
        ]
        return Table(["site", "size", "mean rank", "least p"], rows)

    def __repr__(self) -> str:
        return str(self.table())


def simulation_based_calibration(
    model: Any,
    *data: Any,
    method: str = "nuts",
    simulations: int = 200,
    draws: int = 99,
    thin: int = 10,
    tune: int | None = None,
    random_seed: int = 0,
    dtype: Any = np.float64,
    **options: Any,
) -> Calibration:
    """Draw truths from the prior and data from them, and rank each truth in its posterior.

    Parameters
    ----------
    model : Model or callable
    *data
        The model's arguments. Those that feed ``obs=`` only say which sites are observed: their
        values are replaced by simulated ones.
    method : str, default "nuts"
        One whose draws are a Markov chain.
    simulations : int, default 200
    draws : int, default 99
        Draws that a truth is ranked among.
    thin : int, default 10
        One draw in so many is used, so that those used are nearly independent.
    tune : int, optional
        Warm-up iterations of each simulation; the method's own default if not given.
    random_seed : int, default 0
    dtype : dtype, default float64
    **options
        The method's own.

    Returns
    -------
    Calibration

    Raises
    ------
    ArgumentError
        If the method is unknown or no Markov chain.
    SiteError
        If no site is observed, or none is latent.

    Notes
    -----
    The model is traced and compiled once: simulated data enter as inputs. Each chain starts at a
    draw from the prior that has nothing to do with its truth.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference algorithms
    with simulation-based calibration (arXiv:1804.06788).
    """
    kernel = _kernel(method, options)
    known = as_model(model)
    truths, observed = simulated(known, data, simulations, random_seed, dtype)
    first = {name: x[0] for name, x in observed.items()}
    density = build_density(given_data(known), (first, *data), dtype=dtype)
    compiled = compile_kernel(kernel, density)
    constrain = EachDraw(lambda x, *d: density.constrain(x, *d), dtype)
    value_at = jit(density.function)
    keys = np.random.SeedSequence(random_seed).generate_state(2 * simulations, np.uint32)
    ties = np.random.default_rng(random_seed)
    positions = [_position(density, truths, observed, i) for i in range(simulations)]
    ranks: dict[str, list[Any]] = {}
    for i in range(simulations):
        here = _with(density, observed, i)
        result = run(
            compiled,
            kernel,
            here,
            positions[i - 1][None],
            keys[2 * i : 2 * i + 2][None],
            tune=kernel.default_tune if tune is None else tune,
            draws=draws * thin,
            cores=1,
        )
        kept = result.positions[0, thin - 1 :: thin]
        values = constrain(kept, here.data)
        for name in density.sites.latent:
            ranks.setdefault(name, []).append(_rank(values[name], truths[name][i], ties))
        truth = float(value_at(positions[i], *here.data))
        lp = result.stats["lp"][0, thin - 1 :: thin]
        ranks.setdefault(LOG_DENSITY, []).append(_rank(lp, truth, ties))
    return Calibration({name: np.stack(r) for name, r in ranks.items()}, draws)


def _kernel(method: str, options: dict[str, Any]) -> Any:
    if method not in KERNELS or not KERNELS[method].markov:
        chains = [name for name in KERNELS if KERNELS[name].markov]
        raise ArgumentError(
            f"calibration needs a Markov chain method, not {method!r}.",
            facts=[("known", ", ".join(chains))],
            fix='use method="nuts".',
            where=user_source(),
            code="A106",
        )
    return KERNELS[method](**options)


def _with(density: Density, observed: Arrays, i: int) -> Density:
    """The density given the i-th simulated data: same Program, other inputs."""
    arrays = list(density.data)
    for j, label in enumerate(density.arguments.labels):
        argument, _, name = label.partition(".")
        if argument == "observed" and name in observed:
            arrays[j] = np.ascontiguousarray(observed[name][i], arrays[j].dtype)
    return replace(density, arguments=replace(density.arguments, arrays=tuple(arrays)))


def _position(density: Density, truths: Arrays, observed: Arrays, i: int) -> Any:
    values = {name: truths[name][i] for name in density.sites.latent}
    found = density.unconstrain(values, *_with(density, observed, i).data)
    return np.asarray(found, density.dtype)


def _rank(draws: Any, truth: Any, ties: np.random.Generator) -> Any:
    """How many draws lie below the truth; equal ones by chance."""
    below, equal = np.sum(draws < truth, axis=0), np.sum(draws == truth, axis=0)
    return below + ties.integers(0, equal + 1)


def _p_values(ranks: np.ndarray[Any, Any], draws: int) -> Any:
    bins = min(BINS, draws + 1)
    edges = np.linspace(0, draws + 1, bins + 1).astype(int)
    which = np.searchsorted(edges, ranks, side="right") - 1
    counts = np.stack([np.sum(which == b, axis=0) for b in range(bins)])
    wanted = len(ranks) * np.diff(edges) / (draws + 1)
    wanted = wanted.reshape(-1, *(1,) * (counts.ndim - 1))
    distance = np.asarray(np.sum((counts - wanted) ** 2 / wanted, axis=0))
    half = np.full_like(distance, (bins - 1) / 2.0)
    return np.asarray(special.gammaincc(half, distance / 2.0))

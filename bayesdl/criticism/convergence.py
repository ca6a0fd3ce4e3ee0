"""Convergence of Markov chains: R-hat, effective sample size, Monte Carlo error.

Every function takes draws of shape (chain, draw, *shape) and works on all trailing elements
together, because the verdict on a neural net is asked of thousands of predictions, not of three
parameters.

Where a number has no meaning the answer is NaN, never an exception: an element that is constant,
that holds a non-finite value, or that has fewer than four draws.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.infer.lazy import Lazy

from . import _blocks
from ._checks import Floats, probability, real_array
from ._parts import parts

_BLOCK_VALUES = 1 << 16
"""Values handled at once: a block of half a megabyte stays in the cache from step to step."""

_LEAST_DRAWS = 4

_KEPT, _KEPT_ELEMENTS = 64, 100_000
"""Arrays of draws, and elements of each, whose mixing is kept."""

_RECENT: dict[tuple[tuple[int, ...], bytes], tuple[Floats, Floats, Floats]] = {}

_Statistic = Callable[[Floats], Floats]


def rhat(draws: ArrayLike) -> Floats:
    """Rank-normalised split R-hat, the larger of its bulk and its folded version.

        R̂ = √((B / W + n − 1) / n)

    with B and W the variances between and within half chains of length n, taken of normal scores of
    ranks.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit: ranks make the answer free of it.

    Returns
    -------
    array, shape (*shape)
        About 1 when the chains agree; above 1.01 asks for longer chains. NaN for one chain.

    Raises
    ------
    ShapeError
        If draws has fewer than two axes.

    Notes
    -----
    The folded version ranks the distance from the median and so sees chains that agree in location
    but not in scale. Chains that never moved, each at a value of its own, give infinity.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), Rank-normalization, folding, and
    localization, Bayesian Analysis 16(2), section 4 (arXiv:1903.08008).

    Examples
    --------
    >>> import numpy as np
    >>> chains = np.random.default_rng(0).normal(size=(4, 500))
    >>> round(float(rhat(chains)), 2)
    1.0
    >>> round(float(rhat(chains + np.array([[0.0], [0.0], [0.0], [3.0]]))), 1)
    1.5
    """
    return _each(draws, _blocks.rhat)


def ess_bulk(draws: ArrayLike) -> Floats:
    """Effective sample size of the bulk: that of the mean of the normal scores of ranks.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit.

    Returns
    -------
    array, shape (*shape)
        Number of independent draws worth as much. Want 100 per chain.

    References
    ----------
    Vehtari et al. (2021), section 4.
    """
    return _each(draws, _blocks.ess_bulk)


def ess_tail(draws: ArrayLike) -> Floats:
    """Effective sample size of the tails: the smaller of those of the 5 % and the 95 % quantile.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit.

    Returns
    -------
    array, shape (*shape)
        Number of independent draws worth as much for the 90 % central interval.

    References
    ----------
    Vehtari et al. (2021), section 4.3.
    """
    return _each(draws, _blocks.ess_tail)


def ess_mean(draws: ArrayLike) -> Floats:
    """Effective sample size of the mean, without ranks; meaningful when the variance is finite.

        n_eff = chains · draws / τ,    τ = −1 + 2 Σ_k P_k

    with P_k the sums of neighbouring autocorrelations, cut where they turn negative and made
    monotone.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit.

    Returns
    -------
    array, shape (*shape)
        Number of independent draws worth as much.

    References
    ----------
    Geyer (1992), Practical Markov chain Monte Carlo, section 3.3. Vehtari et al. (2021), section
    3.2.

    Examples
    --------
    Draws that alternate around their mean are worth more than independent ones:

    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(size=(4, 501))
    >>> bool(ess_mean(np.diff(noise, axis=1)) > 2000)
    True
    """
    return _each(draws, _blocks.ess_mean)


def ess_quantile(draws: ArrayLike, prob: float) -> Floats:
    """Effective sample size of a quantile: that of the indicator of lying below it.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit.
    prob : float
        Which quantile, in (0, 1).

    Returns
    -------
    array, shape (*shape)
        Number of independent draws worth as much.

    Raises
    ------
    ArgumentError
        If prob is not strictly between 0 and 1.

    Notes
    -----
    For discrete draws the indicator may be the same for all of them; such a quantile is known
    exactly and counts with all its draws.

    References
    ----------
    Vehtari et al. (2021), section 4.3.
    """
    prob = probability("prob", prob)
    return _each(draws, lambda block: _blocks.ess_quantiles(block, [prob])[0])


def mcse_mean(draws: ArrayLike) -> Floats:
    """Monte Carlo standard error of the mean: sd / √n_eff.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit.

    Returns
    -------
    array, shape (*shape)
        Standard error, in the unit of the draws.

    References
    ----------
    Vehtari et al. (2021), section 3.2.
    """
    return _each(draws, _blocks.mcse_mean)


def mcse_sd(draws: ArrayLike) -> Floats:
    """Monte Carlo standard error of the standard deviation, by the delta method on the variance.

        se(s)² = Var((x − x̄)²) / (4 s² n_eff)

    with n_eff the effective sample size of the mean of (x − x̄)².

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit. The fourth moment must exist.

    Returns
    -------
    array, shape (*shape)
        Standard error, in the unit of the draws.

    References
    ----------
    Kenney and Keeping (1951), Mathematics of Statistics, part 2, section 7.11. Vehtari et al.
    (2021), section 4.2.
    """
    return _each(draws, _blocks.mcse_sd)


def mcse_quantile(draws: ArrayLike, prob: float) -> Floats:
    """Monte Carlo standard error of a quantile: half the width of its ±1 sd interval.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit.
    prob : float
        Which quantile, in (0, 1).

    Returns
    -------
    array, shape (*shape)
        Standard error, in the unit of the draws.

    Raises
    ------
    ArgumentError
        If prob is not strictly between 0 and 1.

    References
    ----------
    Vehtari et al. (2021), section 4.4: the Beta(n_eff p + 1, n_eff (1 − p) + 1) interval of the
    rank.
    """
    prob = probability("prob", prob)
    return _each(draws, lambda block: _blocks.mcse_quantile(block, prob))


def bfmi(energy: ArrayLike) -> Floats:
    """Estimated Bayesian fraction of missing information of Hamiltonian chains.

        Σ (E_t − E_{t−1})² / (n − 1)  /  Var(E)

    Parameters
    ----------
    energy : array, shape (chain, draw)
        Hamiltonian at the start of each trajectory, in nats.

    Returns
    -------
    array, shape (chain,)
        Below 0.3 the momentum refreshment cannot keep up with the spread of energies:
        reparametrise. NaN for a constant or non-finite chain.

    Raises
    ------
    ShapeError
        If energy has not exactly two axes.

    References
    ----------
    Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in HMC, section 3
    (arXiv:1604.00695).
    """
    values = real_array("energy", energy)
    if values.ndim != 2:
        raise ShapeError(
            "`energy` must have the shape (chain, draw).",
            facts=[("energy", f"shape {values.shape}")],
            fix="energy[None, :] for a single chain.",
            where=user_source(),
            code="K101",
        )
    return _each(values.T[None], _blocks.bfmi)


def mixing(draws: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """R-hat, bulk ESS and tail ESS together, for less than each by itself.

    A verdict and a summary ask for these of the same draws: what was last found is kept, under a
    digest of the draws.

    Parameters
    ----------
    draws : array, shape (chain, draw, *shape)
        Draws in any unit.

    Returns
    -------
    rhat, ess_bulk, ess_tail : array, shape (*shape)
        As the functions of these names give them.
    """
    if isinstance(draws, Lazy):
        return _mixing(draws)
    array = np.ascontiguousarray(real_array("draws", draws))
    key = array.shape, blake2b(array.data, digest_size=16).digest()
    if key in _RECENT:
        return _RECENT[key]
    found = _mixing(array)
    if np.size(found[0]) <= _KEPT_ELEMENTS:
        while len(_RECENT) >= _KEPT:
            _RECENT.pop(next(iter(_RECENT)))
        _RECENT[key] = found
    return found


def _mixing(draws: ArrayLike) -> tuple[Floats, Floats, Floats]:
    rhats, bulks, tails = _several(draws, _blocks.mixing, 3)
    return rhats, bulks, tails


def _each(draws: ArrayLike, statistic: _Statistic) -> Floats:
    """One number per element from a statistic of blocks (element, chain, draw)."""
    return _several(draws, lambda block: statistic(block)[None], 1)[0]


def _several(draws: ArrayLike, statistic: _Statistic, count: int) -> list[Floats]:
    """So many numbers per element, from a statistic that gives (count, element)."""
    if isinstance(draws, Lazy):
        found = [_several(part, statistic, count) for part in parts(draws)]
        joined = [np.concatenate(each) for each in zip(*found, strict=True)]
        return [each.reshape(draws.shape[2:])[()] for each in joined]
    array = real_array("draws", draws)
    if array.ndim < 2:
        raise ShapeError(
            "`draws` must have the shape (chain, draw, *shape).",
            facts=[("draws", f"shape {array.shape}")],
            fix="draws[None] for a single chain.",
            where=user_source(),
            code="K101",
        )
    chains, length, *shape = array.shape
    out = np.full((count, int(np.prod(shape))), np.nan)
    if chains > 0 and length >= _LEAST_DRAWS:
        flat = array.reshape(chains, length, out.shape[1])
        step = max(1, _BLOCK_VALUES // (chains * length))
        for start in range(0, out.shape[1], step):
            block = np.ascontiguousarray(np.moveaxis(flat[:, :, start : start + step], 2, 0))
            out[:, start : start + step] = _on_varying(block, statistic, count)
    return [row.reshape(shape)[()] for row in out]


def _on_varying(block: Floats, statistic: _Statistic, count: int) -> Floats:
    """Apply a statistic to the finite, varying elements of a block; NaN for the others."""
    low, high = block.min(axis=(1, 2)), block.max(axis=(1, 2))
    # Comparing the extremes first keeps inf - inf out; NaN and inf fail the second test.
    varying = (low < high) & np.isfinite(low) & np.isfinite(high)
    out = np.full((count, len(block)), np.nan)
    if varying.any():
        # Chains that never moved divide by a variance of zero: infinity is their right R-hat.
        with np.errstate(divide="ignore", invalid="ignore"):
            out[:, varying] = statistic(block[varying])
    return out

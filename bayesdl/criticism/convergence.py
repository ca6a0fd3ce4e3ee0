"""Convergence of Markov chains: R-hat, effective sample size and Monte Carlo error of many quantities at once.

Every function takes draws of shape (chain, draw, *shape) and works on all trailing elements together, because the
verdict on a neural net is asked of thousands of predictions, not of three parameters.

Where a number has no meaning the answer is NaN, never an exception: an element that is constant, that holds a
non-finite value, or that has fewer than four draws.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import betaincinv, ndtr, ndtri

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source

from ._checks import Floats, probability, real_array

_BLOCK_VALUES = 1 << 20
"""Values handled at once: the transforms of one block then need some tens of megabytes, however large the net."""

_LEAST_DRAWS = 4

Statistic = Callable[[Floats], Floats]


def rhat(draws: ArrayLike) -> Floats:
    """Rank-normalised split R-hat, the larger of its bulk and its folded version.

        R̂ = √((B / W + n − 1) / n)

    with B and W the variances between and within half chains of length n, taken of normal scores of ranks.

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
    The folded version ranks the distance from the median and so sees chains that agree in location but
    not in scale. Chains that never moved, each at a value of its own, give infinity.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), Rank-normalization, folding, and localization,
    Bayesian Analysis 16(2), section 4 (arXiv:1903.08008).

    Examples
    --------
    >>> import numpy as np
    >>> chains = np.random.default_rng(0).normal(size=(4, 500))
    >>> round(float(rhat(chains)), 2)
    1.0
    >>> round(float(rhat(chains + np.array([[0.0], [0.0], [0.0], [3.0]]))), 1)
    1.6
    """
    return _each(draws, rhat_of_block, least_chains=2)


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
    return _each(draws, lambda block: _ess(_normal_scores(_split(block))))


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
    return _each(draws, ess_tail_of_block)


def ess_mean(draws: ArrayLike) -> Floats:
    """Effective sample size of the mean, without ranks; meaningful when the variance is finite.

        n_eff = chains · draws / τ,    τ = −1 + 2 Σ_k P_k

    with P_k the sums of neighbouring autocorrelations, cut where they turn negative and made monotone.

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
    Geyer (1992), Practical Markov chain Monte Carlo, section 3.3. Vehtari et al. (2021), section 3.2.

    Examples
    --------
    Draws that alternate around their mean are worth more than independent ones:

    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(size=(4, 501))
    >>> bool(ess_mean(np.diff(noise, axis=1)) > 2000)
    True
    """
    return _each(draws, ess_mean_of_block)


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
    For discrete draws the indicator may be the same for all of them; such a quantile is known exactly
    and counts with all its draws.

    References
    ----------
    Vehtari et al. (2021), section 4.3.
    """
    prob = probability("prob", prob)
    return _each(draws, lambda block: _ess_quantiles(block, [prob])[0])


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
    return _each(draws, lambda block: mcse_mean_of_block(block)[0])


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
    Kenney and Keeping (1951), Mathematics of Statistics, part 2, section 7.11. Vehtari et al. (2021), section 4.2.
    """
    return _each(draws, _mcse_sd_of_block)


def mcse_quantile(draws: ArrayLike, prob: float) -> Floats:
    """Monte Carlo standard error of a quantile: half the width of its ±1 sd interval on the order statistics.

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
    Vehtari et al. (2021), section 4.4: the Beta(n_eff p + 1, n_eff (1 − p) + 1) interval of the rank.
    """
    prob = probability("prob", prob)
    return _each(draws, lambda block: _mcse_quantile_of_block(block, prob))


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
        Below 0.3 the momentum refreshment cannot keep up with the spread of energies: reparametrise. NaN
        for a constant or non-finite chain.

    Raises
    ------
    ShapeError
        If energy has not exactly two axes.

    References
    ----------
    Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in HMC, section 3 (arXiv:1604.00695).
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
    return _each(values.T[None], _bfmi_of_block)


def rhat_of_block(block: Floats) -> Floats:
    """R-hat of a finite block (element, chain, draw); NaN for one chain."""
    if block.shape[1] < 2:
        return np.full(len(block), np.nan)
    halves = _split(block)
    median = np.median(halves.reshape(len(block), -1), axis=1)
    folded = np.abs(halves - median[:, None, None])
    return np.maximum(_rhat(_normal_scores(halves)), _rhat(_normal_scores(folded)))


def ess_tail_of_block(block: Floats) -> Floats:
    """Tail effective sample size of a finite block (element, chain, draw)."""
    low, high = _ess_quantiles(block, [0.05, 0.95])
    return np.minimum(low, high)


def ess_mean_of_block(block: Floats) -> Floats:
    """Effective sample size of the mean of a finite block (element, chain, draw)."""
    return _ess(_split(block))


def mcse_mean_of_block(block: Floats) -> tuple[Floats, Floats]:
    """Monte Carlo error of the mean, and the sd, of a finite block (element, chain, draw)."""
    sd = block.std(axis=(1, 2), ddof=1)
    return sd / np.sqrt(ess_mean_of_block(block)), sd


def _mcse_sd_of_block(block: Floats) -> Floats:
    squares = (block - block.mean(axis=(1, 2), keepdims=True)) ** 2
    variance = squares.mean(axis=(1, 2))
    spread = squares.var(axis=(1, 2)) / ess_mean_of_block(squares)
    return np.sqrt(spread / variance / 4.0)


def _mcse_quantile_of_block(block: Floats, prob: float) -> Floats:
    ess = _ess_quantiles(block, [prob])[0]
    ordered = np.sort(block.reshape(len(block), -1), axis=1)
    size = ordered.shape[1]
    low, high = (
        betaincinv(ess * prob + 1.0, ess * (1.0 - prob) + 1.0, ndtr(z)) * size - 1.0 for z in (-1, 1)
    )
    below = np.floor(np.maximum(low, 0.0)).astype(np.intp)
    above = np.ceil(np.minimum(high, size - 1)).astype(np.intp)
    rows = np.arange(len(block))
    return (ordered[rows, above] - ordered[rows, below]) / 2.0


def _bfmi_of_block(block: Floats) -> Floats:
    jumps = np.diff(block[:, 0], axis=1) ** 2
    return jumps.mean(axis=1) / block[:, 0].var(axis=1, ddof=1)


def _each(draws: ArrayLike, statistic: Statistic, *, least_chains: int = 1) -> Floats:
    """Apply a statistic of blocks (element, chain, draw) to all elements; NaN where it has no meaning."""
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
    out = np.full(int(np.prod(shape)), np.nan)
    if chains >= least_chains and chains > 0 and length >= _LEAST_DRAWS:
        flat = array.reshape(chains, length, out.size)
        step = max(1, _BLOCK_VALUES // (chains * length))
        for start in range(0, out.size, step):
            block = np.ascontiguousarray(np.moveaxis(flat[:, :, start : start + step], 2, 0))
            out[start : start + step] = on_varying(block, statistic)
    return out.reshape(shape)[()]


def on_varying(block: Floats, statistic: Statistic) -> Floats:
    """Apply a statistic to the finite, varying elements of a block (element, chain, draw); NaN for the others."""
    low, high = block.min(axis=(1, 2)), block.max(axis=(1, 2))
    # Comparing the extremes first keeps inf - inf out; NaN and inf fail the second test.
    varying = (low < high) & np.isfinite(low) & np.isfinite(high)
    out = np.full(len(block), np.nan)
    if varying.any():
        # A chain that never moved divides by a variance of zero: infinity is the right R-hat for it.
        with np.errstate(divide="ignore", invalid="ignore"):
            out[varying] = statistic(block[varying])
    return out


def _split(block: Floats) -> Floats:
    """Each chain in two halves; of an odd number of draws the middle one is left out."""
    half = block.shape[2] // 2
    return np.concatenate([block[:, :, :half], block[:, :, -half:]], axis=1)


def _normal_scores(block: Floats) -> Floats:
    """Normal scores of the pooled ranks, with Blom's offset; ties share their mean rank."""
    pooled = block.reshape(len(block), -1)
    size = pooled.shape[1]
    order = np.argsort(pooled, axis=1)
    ordered = np.take_along_axis(pooled, order, axis=1)
    fresh = np.ones(ordered.shape, dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=fresh[:, 1:])
    twice = np.broadcast_to(2 * np.arange(1, size + 1), ordered.shape)
    if not fresh.all():
        twice = _twice_tied_ranks(fresh)
    # Mean ranks are multiples of 1/2, so all scores that can occur fit one small table.
    table = ndtri((np.arange(2 * size + 1) / 2.0 - 0.375) / (size + 0.25))
    scores = np.empty_like(pooled)
    np.put_along_axis(scores, order, table[twice], axis=1)
    return scores.reshape(block.shape)


def _twice_tied_ranks(fresh: np.ndarray) -> np.ndarray:
    """Twice the mean rank in each run of ties, given where runs begin: first plus last rank of the run."""
    size = fresh.shape[1]
    places = np.broadcast_to(np.arange(size), fresh.shape)
    first = np.maximum.accumulate(np.where(fresh, places, 0), axis=1)
    ends = np.ones(fresh.shape, dtype=bool)
    ends[:, :-1] = fresh[:, 1:]
    last = np.minimum.accumulate(np.where(ends, places, size)[:, ::-1], axis=1)[:, ::-1]
    return first + last + 2


def _rhat(scores: Floats) -> Floats:
    length = scores.shape[2]
    between = length * scores.mean(axis=2).var(axis=1, ddof=1)
    within = scores.var(axis=2, ddof=1).mean(axis=1)
    return np.sqrt((between / within + length - 1.0) / length)


def _ess_quantiles(block: Floats, probs: list[float]) -> list[Floats]:
    return [_ess_below(block, level) for level in np.quantile(block, probs, axis=(1, 2))]


def _ess_below(block: Floats, level: Floats) -> Floats:
    halves = _split((block <= level[:, None, None]).astype(np.float64))
    same = halves.min(axis=(1, 2)) == halves.max(axis=(1, 2))
    return np.where(same, float(halves.shape[1] * halves.shape[2]), _ess(halves))


def _ess(chains: Floats) -> Floats:
    """Effective sample size of the mean, for a block (element, chain, draw) already split."""
    _, count, length = chains.shape
    covariance = _mean_autocovariance(chains)
    within = covariance[:, :1] * length / (length - 1.0)
    total = covariance[:, :1].copy()
    if count > 1:
        total += chains.mean(axis=2).var(axis=1, ddof=1)[:, None]
    correlation = 1.0 - (within - covariance) / total
    correlation[:, 0] = 1.0
    size = count * length
    return size / np.maximum(_autocorrelation_time(correlation), 1.0 / np.log10(size))


def _mean_autocovariance(chains: Floats) -> Floats:
    """Autocovariance at every lag, averaged over chains: shape (element, draw)."""
    length = chains.shape[2]
    padded = next_fast_len(2 * length, real=True)
    spectrum = rfft(chains - chains.mean(axis=2, keepdims=True), n=padded, axis=2)
    # The inverse transform is linear, so the mean over chains is taken before it and only one is needed.
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    covariance: Floats = irfft(power, n=padded, axis=1)[:, :length] / length
    return covariance


def _autocorrelation_time(correlation: Floats) -> Floats:
    """Geyer's initial monotone sequence: τ from autocorrelations (element, lag), all elements at once."""
    pairs = max(1, (correlation.shape[1] - 1) // 2)
    even, odd = correlation[:, 0 : 2 * pairs : 2], correlation[:, 1 : 2 * pairs : 2]
    sums = even + odd
    rows = np.arange(len(sums))
    negative = sums <= 0.0
    stop = np.where(negative.any(axis=1), negative.argmax(axis=1), pairs - 1)
    monotone = np.minimum.accumulate(sums, axis=1)
    kept = np.where(np.arange(pairs) < stop[:, None], monotone, 0.0).sum(axis=1)
    # The even member of the pair at which the sequence stops still lowers the truncation bias.
    last = np.where((sums[rows, stop] >= 0.0) | (even[rows, stop] > 0.0), even[rows, stop], 0.0)
    result: Floats = -1.0 + 2.0 * kept + last
    return result

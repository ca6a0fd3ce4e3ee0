"""Convergence statistics of a block of chains: the arithmetic behind `convergence`.

A block has shape (element, chain, draw); every element is finite and varies. Each function returns
one number per element, computed for all elements at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._checks import Floats
from ._special import blom_scores, fast_length


def rhat(block: Floats) -> Floats:
    """R-hat, the larger of bulk and folded; NaN for one chain."""
    halves = _split(block)
    return _rhat(halves, _normal_scores(halves))


def ess_bulk(block: Floats) -> Floats:
    """Effective sample size of the normal scores of ranks."""
    return _ess(_normal_scores(_split(block)))


def mixing(block: Floats) -> Floats:
    """R-hat, bulk and tail ESS, shape (3, element): the ranks are taken once."""
    halves = _split(block)
    scores = _normal_scores(halves)
    return np.stack([_rhat(halves, scores), _ess(scores), ess_tail(block)])


def ess_tail(block: Floats) -> Floats:
    """Effective sample size of the 5 % or the 95 % quantile, whichever is smaller."""
    low, high = ess_quantiles(block, [0.05, 0.95])
    return np.minimum(low, high)


def ess_mean(block: Floats) -> Floats:
    """Effective sample size of the mean."""
    return _ess(_split(block))


def mcse_mean(block: Floats) -> Floats:
    """Monte Carlo error of the mean."""
    error: Floats = block.std(axis=(1, 2), ddof=1) / np.sqrt(ess_mean(block))
    return error


def mcse_sd(block: Floats) -> Floats:
    """Monte Carlo error of the standard deviation."""
    squares = (block - block.mean(axis=(1, 2), keepdims=True)) ** 2
    variance = squares.mean(axis=(1, 2))
    spread = squares.var(axis=(1, 2)) / ess_mean(squares)
    error: Floats = np.sqrt(spread / variance / 4.0)
    return error


def mcse_quantile(block: Floats, prob: float) -> Floats:
    """Monte Carlo error of a quantile."""
    from scipy.special import betaincinv, ndtr

    ess = ess_quantiles(block, [prob])[0]
    ordered = np.sort(block.reshape(len(block), -1), axis=1)
    size = ordered.shape[1]
    low, high = (
        betaincinv(ess * prob + 1.0, ess * (1.0 - prob) + 1.0, ndtr(z)) * size - 1.0
        for z in (-1, 1)
    )
    below = np.floor(np.maximum(low, 0.0)).astype(np.intp)
    above = np.ceil(np.minimum(high, size - 1)).astype(np.intp)
    rows = np.arange(len(block))
    error: Floats = (ordered[rows, above] - ordered[rows, below]) / 2.0
    return error


def bfmi(block: Floats) -> Floats:
    """Squared energy jumps over the energy variance, for blocks of one chain each."""
    jumps = np.diff(block[:, 0], axis=1) ** 2
    fraction: Floats = jumps.mean(axis=1) / block[:, 0].var(axis=1, ddof=1)
    return fraction


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
    scores = np.empty_like(pooled)
    np.put_along_axis(scores, order, blom_scores(size)[twice], axis=1)
    return scores.reshape(block.shape)


def _twice_tied_ranks(fresh: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Twice the mean rank in each run of ties, which is the first plus the last rank of the run."""
    size = fresh.shape[1]
    places = np.broadcast_to(np.arange(size), fresh.shape)
    first = np.maximum.accumulate(np.where(fresh, places, 0), axis=1)
    ends = np.ones(fresh.shape, dtype=bool)
    ends[:, :-1] = fresh[:, 1:]
    last = np.minimum.accumulate(np.where(ends, places, size)[:, ::-1], axis=1)[:, ::-1]
    twice: NDArray[np.intp] = first + last + 2
    return twice


def _rhat(halves: Floats, scores: Floats) -> Floats:
    """From half chains and their scores; each chain has two halves."""
    if halves.shape[1] < 4:
        return np.full(len(halves), np.nan)
    median = quantiles(halves.reshape(len(halves), -1), [0.5])[0]
    folded = np.abs(halves - median[:, None, None])
    # Draws of two values fold into one, which has no R-hat: the other version then decides.
    return np.fmax(_rhat_of_scores(scores), _rhat_of_scores(_normal_scores(folded)))


def _rhat_of_scores(scores: Floats) -> Floats:
    length = scores.shape[2]
    between = length * scores.mean(axis=2).var(axis=1, ddof=1)
    within = scores.var(axis=2, ddof=1).mean(axis=1)
    ratio: Floats = np.sqrt((between / within + length - 1.0) / length)
    return ratio


def quantiles(values: Floats, probs: list[float]) -> Floats:
    """Quantiles over the last axis, the first axis by probability; NaN where a value is NaN.

    As ``np.quantile`` gives them, which loads masked arrays first: 20 ms of every process.
    """
    last = values.shape[-1] - 1
    places = np.asarray(probs) * last
    below = np.floor(places).astype(np.intp)
    above = np.minimum(below + 1, last)
    ordered = np.partition(values, sorted({*below.tolist(), *above.tolist(), last}), axis=-1)
    low, high = ordered[..., below], ordered[..., above]
    share = places - below
    near = np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1.0 - share))
    found = np.where(np.isnan(ordered[..., -1:]), np.nan, near)
    return np.moveaxis(found, -1, 0)


def ess_quantiles(block: Floats, probs: list[float]) -> list[Floats]:
    """Effective sample size of each quantile."""
    return [_ess_below(block, level) for level in quantiles(block.reshape(len(block), -1), probs)]


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
    ess: Floats = size / np.maximum(_autocorrelation_time(correlation), 1.0 / np.log10(size))
    return ess


def _mean_autocovariance(chains: Floats) -> Floats:
    """Autocovariance at every lag, averaged over chains: shape (element, draw)."""
    length = chains.shape[2]
    padded = fast_length(2 * length)
    spectrum = np.fft.rfft(chains - chains.mean(axis=2, keepdims=True), n=padded, axis=2)
    # The inverse transform is linear: with the mean over chains before it, one is enough.
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    covariance: Floats = np.fft.irfft(power, n=padded, axis=1)[:, :length] / length
    return covariance


def _autocorrelation_time(correlation: Floats) -> Floats:
    """Geyer's initial monotone sequence: τ from autocorrelations (element, lag)."""
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

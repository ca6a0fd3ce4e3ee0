"""Estimators: the gradient of an objective by a guide's parameters, from samples of the guide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import flatten, tree_map
from bayesdl.infer.kernel import Density
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import scan
from bayesdl.transform.derived import grad, value_and_grad, vjp

from .guides import Guide
from .local import Spread
from .objectives import Renyi


@dataclass(frozen=True)
class Sampled:
    """What one sample gives: log density and log guide at it, and a gradient by the parameters."""

    __tree__: ClassVar[bool] = True

    log_density: Any
    log_guide: Any
    gradient: Any


@dataclass(frozen=True)
class Estimate:
    """An objective and its gradient by the guide's parameters, estimated.

    Parameters
    ----------
    log_density : Array, shape ()
        Mean over the samples.
    bound : Array, shape ()
        The objective, nats.
    gradient : container of arrays
    weights : container of arrays, optional
        What running baselines are means of; the bound if not given.
    """

    log_density: Any
    bound: Any
    gradient: Any
    weights: Any = None


def reparametrised(
    guide: Guide, params: Any, key: Any, density: Density, tempered: Any = 1.0
) -> Sampled:
    """The total derivative of log w = log π(z) − log q(z) along z = z(params, noise).

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes, section 2.4 (arXiv:1312.6114).
    """
    (z, log_guide), pull = vjp(lambda p: guide.sample_and_log_prob(p, key), params)
    value, slope = density(z)
    return Sampled(value, log_guide, pull((slope, bnp.asarray(-1.0 * tempered, z.dtype)))[0])


def along_the_path(
    guide: Guide, params: Any, key: Any, density: Density, tempered: Any = 1.0
) -> Sampled:
    """The derivative of log w through z alone: that of log q by its parameters has mean zero.

    Its noise vanishes where the guide is the density.

    References
    ----------
    Roeder, Wu & Duvenaud (2017), Sticking the landing (arXiv:1703.09194).
    """
    (z, log_guide), pull = vjp(lambda p: guide.sample_and_log_prob(p, key), params)
    value, slope = density(z)
    score = grad(lambda x: guide.log_prob(params, x))(z)
    path = slope - tempered * score
    return Sampled(value, log_guide, pull((path, bnp.zeros((), z.dtype)))[0])


def with_entropy(
    guide: Guide, params: Any, key: Any, density: Density, tempered: Any = 1.0
) -> Sampled:
    """The derivative of log π along z, and that of the guide's entropy in closed form.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), Automatic differentiation variational
    inference, equation 8 (arXiv:1603.00788).
    """
    (z, log_guide), pull = vjp(lambda p: guide.sample_and_log_prob(p, key), params)
    value, slope = density(z)
    of_density = pull((slope, bnp.zeros((), z.dtype)))[0]
    of_entropy = grad(guide.entropy)(params)
    return Sampled(
        value, log_guide, tree_map(lambda a, b: a + tempered * b, of_density, of_entropy)
    )


def in_the_sums(
    guide: Guide, params: Any, key: Any, density: Density, tempered: Any = 1.0
) -> Sampled:
    """As `with_entropy`, with the noise of weights drawn anew for each row, at a layer's sums.

    Rows do not share the noise of weights, or not its signs, so their mean has less of it.

    References
    ----------
    Kingma, Salimans & Welling (2015), Variational dropout and the local reparameterization trick,
    sections 2.2 and 2.3 (arXiv:1506.02557); Wen et al. (2018), Flipout (arXiv:1803.04386).
    """
    keys = random.split(key, 2)

    def spread(p: Any) -> Spread:
        return Spread(guide.sample_and_log_prob(p, keys[0])[0], *guide.mean_and_sd(p))

    place, pull = vjp(spread, params)
    value, slope = density(place, keys[1])
    of_entropy = grad(guide.entropy)(params)
    gradient = tree_map(lambda a, b: a + tempered * b, pull(slope)[0], of_entropy)
    return Sampled(value, guide.log_prob(params, place.draw), gradient)


def with_divergences(
    guide: Guide, params: Any, key: Any, density: Density, tempered: Any = 1.0
) -> Sampled:
    """As `with_entropy`, and with divergences from the prior in closed form where there are such.

    References
    ----------
    Blundell et al. (2015), Weight uncertainty in neural networks, section 3.2 (arXiv:1505.05424),
    on the cost that is left open; Kingma & Welling (2014), appendix B (arXiv:1312.6114).
    """

    def spread(p: Any) -> Spread:
        return Spread(guide.sample_and_log_prob(p, key)[0], *guide.mean_and_sd(p))

    place, pull = vjp(spread, params)
    bound, slope = density(place)
    log_guide = guide.log_prob(params, place.draw)
    return Sampled(bound + tempered * log_guide, log_guide, pull(slope)[0])


def by_score(guide: Guide, params: Any, key: Any, density: Density, tempered: Any = 1.0) -> Sampled:
    """The score: the slope of log q by the parameters, where the draw is.

    References
    ----------
    Ranganath, Gerrish & Blei (2014), Black box variational inference, section 2
    (arXiv:1401.0118).
    """
    z, _ = guide.sample_and_log_prob(params, key)
    log_guide, score = value_and_grad(lambda p: guide.log_prob(p, z))(params)
    value, _ = density(z)
    return Sampled(value, log_guide, score)


def scored(each: Sampled, tempered: Any, baseline: Any) -> Any:
    """The gradient from samples with scores, each weighted by log w less a baseline.

    The baseline is the mean of the other samples, or for a single one that of steps before.

    References
    ----------
    Kool, van Hoof & Welling (2019), Buy 4 REINFORCE samples, get a baseline for free (ICLR
    workshop); Mnih & Gregor (2014), Neural variational inference, section 2.3 (arXiv:1402.0030),
    for the running mean.
    """
    log_weights = each.log_density - tempered * each.log_guide
    count = log_weights.shape[0]
    if count > 1:
        baseline = (log_weights.sum() - log_weights) / (count - 1)
    centred = (log_weights - baseline) / count
    return tree_map(lambda score: bnp.tensordot(centred, score, 1), each.gradient)


def equal_shares(shares: Any, alpha: float) -> Any:
    """What the gradients of the samples count: their shares of the objective's derivative."""
    return shares


def doubled_shares(shares: Any, alpha: float) -> Any:
    """α v + (1 − α) v²: the shares v reparametrised once more, so that the path alone is left.

    For the ELBO these are the shares, and the estimator is `along_the_path` itself.

    References
    ----------
    Tucker, Lawson, Gu & Maddison (2019), Doubly reparameterized gradient estimators for Monte Carlo
    objectives, equation 8 for α = 0 (arXiv:1810.04152).
    """
    return alpha * shares + (1.0 - alpha) * shares * shares


@dataclass(frozen=True)
class Estimator:
    """How a sample is differentiated, how samples are joined, and for which objectives that holds.

    Parameters
    ----------
    of_sample : callable
    join : callable, (shares, alpha) -> Array, shape (K,)
    elbo_only : bool
        Whether it would be biased, or is not defined, for other objectives.
    local : bool
        Whether it has a target of its own, for which the guide must be a mean-field one.
    score : bool
        Whether the gradients of samples are scores, to be weighted with log w.
    """

    of_sample: Callable[..., Sampled]
    join: Callable[[Any, float], Any] = equal_shares
    elbo_only: bool = False
    local: bool = False
    score: bool = False


ESTIMATORS = {
    "reparametrised": Estimator(reparametrised),
    "sticking_the_landing": Estimator(along_the_path, elbo_only=True),
    "doubly_reparametrised": Estimator(along_the_path, doubled_shares),
    "closed_form_entropy": Estimator(with_entropy, elbo_only=True),
    "local_reparametrised": Estimator(in_the_sums, elbo_only=True, local=True),
    "closed_form_kl": Estimator(with_divergences, elbo_only=True, local=True),
    "score_function": Estimator(by_score, elbo_only=True, score=True),
    # Where no discrete unknown is drawn there is nothing to sum over.
    "enumeration": Estimator(reparametrised, elbo_only=True),
    "flipout": Estimator(in_the_sums, elbo_only=True, local=True),
}


def estimate(
    estimator: Estimator,
    objective: Renyi,
    guide: Guide,
    params: Any,
    keys: Any,
    density: Density,
    tempered: Any = 1.0,
    baseline: Any = 0.0,
) -> Estimate:
    """An objective and its gradient from one sample for each key.

    Parameters
    ----------
    estimator : Estimator
    objective : Renyi
    guide : Guide
    params : container of arrays
    keys : Array of uint32, shape (K, 2)
    density : callable
        Position to (log density, gradient); for a local estimator, `Spread` and key to them.
    tempered : Array, shape ()
        What log q is multiplied with in the gradient, and in the bound.
    baseline : Array, shape ()
        Of log w, for a single sample with a score.
    """

    def one(key: Any) -> Sampled:
        return estimator.of_sample(guide, params, key, density, tempered)

    count, dtype = keys.shape[0], flatten(params)[0][0].dtype
    if objective.alpha != 1.0:
        _, each = scan(lambda _, key: ((), one(key)), (), keys)
        log_weights = each.log_density - tempered * each.log_guide
        counted = estimator.join(objective.shares(log_weights), objective.alpha)
        gradient = tree_map(lambda g: bnp.tensordot(counted, g, 1), each.gradient)
        return Estimate(each.log_density.mean(), objective.bound(log_weights), gradient)
    if estimator.score:
        _, each = scan(lambda _, key: ((), one(key)), (), keys)
        density_mean = each.log_density.mean()
        bound = density_mean - tempered * each.log_guide.mean()
        return Estimate(density_mean, bound, scored(each, tempered, baseline))
    if count == 1:
        total = one(keys[0])
    else:
        zero = bnp.zeros((), dtype)
        nothing = Sampled(zero, zero, tree_map(bnp.zeros_like, params))
        total, _ = scan(
            lambda sums, key: (tree_map(lambda a, b: a + b, sums, one(key)), None), nothing, keys
        )
    mean = tree_map(lambda x: x * (1.0 / count), total)
    return Estimate(mean.log_density, mean.log_density - tempered * mean.log_guide, mean.gradient)


def keys_of(key: Any, count: int) -> Any:
    """A key for each sample."""
    return bnp.stack([random.fold_in(key, np.int64(i)) for i in range(count)])

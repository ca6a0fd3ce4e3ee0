"""Variational inference: a guide fitted to the density by stochastic ascent on a bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import tree_map
from bayesdl.infer.kernel import Density, Kernel, Phase, kernel, settled
from bayesdl.infer.minibatch import Turn, minibatch_target
from bayesdl.infer.optim._base import Optimiser
from bayesdl.infer.optim.adam import Adam
from bayesdl.infer.optim.averaging import averaged
from bayesdl.infer.optim.clipping import clipped, without_spike
from bayesdl.infer.optim.rates import InverseRoot, Rate
from bayesdl.model.summed import Placed
from bayesdl.ops import numpy as bnp
from bayesdl.tracing.flow import cond

from .closed import closed_target
from .enumeration import enumerated, estimate_by_enumeration
from .estimators import ESTIMATORS, Estimate, estimate, keys_of
from .fitted import FittedGuide
from .guides import Delta, Guide, MeanField, ModelGuide, beside_points
from .guides.model import discrete_in
from .local import flipped_target, local_target
from .objectives import Renyi
from .scores import estimate_by_scores, first_baseline
from .settings import check_own, check_points, read_settings
from .terms import estimate_by_terms, plate_of_rows

TARGETS = {
    "local_reparametrised": local_target,
    "flipout": flipped_target,
    "closed_form_kl": closed_target,
}
BASELINE_RATE = 0.1
LOST = 10
"""So many steps in a row without a finite bound end a fit."""


@dataclass(frozen=True)
class VIState:
    """Where the optimisation stands.

    Parameters
    ----------
    position : Array, shape (dim,)
        The mean draw of the guide's start, then the last draw.
    params, average : container of arrays
        Of the guide; draws come from the average of the last ones.
    optimiser : container of arrays
    order : Array of uint32, shape (2,)
        Names the order of the rows in minibatches.
    baseline : container of arrays
        Running mean of the bound, or of what single scores are weighted with.
    usual : Array, shape ()
        Running mean of the gradient's squared length.
    """

    __tree__: ClassVar[bool] = True

    position: Any
    params: Any
    average: Any
    optimiser: Any
    order: Any
    baseline: Any
    usual: Any


@dataclass(frozen=True)
class VIInfo:
    """What one step reports: log density, and the bound; of a draw, its log weight. In nats."""

    __tree__: ClassVar[bool] = True

    lp: Any
    elbo: Any


@dataclass(frozen=True)
class VIEstimates:
    """The same from a minibatch: unbiased, and too noisy to be weights of draws."""

    __tree__: ClassVar[bool] = True

    lp_estimate: Any
    elbo_estimate: Any


@kernel
@dataclass(frozen=True)
class VI(Kernel):
    """Variational inference on R^dim.

    Parameters
    ----------
    guide : Guide
        The family: ``"mean_field"``, ``"structured"``, ``"full_rank"``, ``"low_rank"``,
        ``"planar"``, ``"iaf"``, ``"coupling"``, ``"map"``, a guide with settings of its own, or a
        model function of yours (`guides.model.ModelGuide`).
    objective : Renyi
        ``"elbo"``, ``"iwae"`` (importance weighted, on `samples` samples), or ``Renyi(alpha)``.
    estimator : str, optional
        Of the gradient: ``"reparametrised"``, ``"sticking_the_landing"``,
        ``"doubly_reparametrised"``, ``"closed_form_entropy"``, ``"score_function"`` (its baseline
        is the mean of the other samples, or of a single one the running mean),
        ``"enumeration"`` (discrete unknowns that a guide of your own draws are summed over),
        ``"closed_form_kl"`` (for a mean-field guide or one of your own: divergences from the prior
        where they have a formula), for a mean-field guide of networks
        ``"local_reparametrised"``: rows do not share the noise of the weights of linear layers; or
        ``"flipout"``: nor do they share its signs, in convolutions too. With both the likelihood of
        a row must not depend on others. The guide's own if not given.
    optimiser : Optimiser
        ``"adam"``, ``"adamw"``, ``"sgd"``, or one with settings of its own.
    learning_rate : float
        At its highest.
    schedule : Rate
        ``"inverse_root"``, ``"constant"``, ``"cosine"``, ``"one_cycle"``; the last two fall over
        all of `tune`.
    samples : int
        Of the guide for each gradient.
    batch_size : int, optional
        Rows in each gradient; all if not given. An epoch is a permutation of the rows.
    kl_warmup : int
        Over so many steps log prior − log guide counts from 0 to 1.
    clip_norm : float, optional
        Longest gradient, over all parameters together.
    clip_ratio : float, optional
        The same as a multiple of the usual length, the root of its mean square so far. Where noise
        depends on the row, one that lies far out can have a gradient a million times that.
    init_sd : float
        Standard deviation of the first guide, whose mean is the starting position.

    Notes
    -----
    *Invariant distribution*: the guide, not the density. *Cost*: `samples` gradient evaluations per
    step. The optimisation ends when the bound of its last quarter is not above that of the quarter
    before by more than its noise, twice in a row (`settled`), or after all of `tune` where the
    schedule falls over all of it; and with an error when ten steps in a row have none that is
    finite; single ones are passed over. Draws come from an average of the last guides; their mean
    `elbo` is the ELBO of that guide, and from their weights follow k-hat and the
    importance-weighted bound of the evidence. For a network the mean of the first guide matters
    more than its sd: from weights and biases that are small beside their priors, the optimisation
    can end where all units but a few are switched off.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman & Blei (2017), Automatic differentiation variational
    inference (arXiv:1603.00788). Trippe & Turner (2018), Overpruning in variational Bayesian neural
    networks (arXiv:1801.06230). Bowman et al. (2016), Generating sentences from a continuous space,
    section 3.1, for the warm-up (arXiv:1511.06349).
    """

    name: ClassVar[str] = "vi"
    default_tune: ClassVar[int] = 20_000
    default_chains: ClassVar[int] = 1
    check_every: ClassVar[int] = 500
    markov: ClassVar[bool] = False

    guide: Guide = field(default_factory=MeanField)
    objective: Renyi = field(default_factory=Renyi)
    estimator: str = ""
    optimiser: Optimiser = field(default_factory=Adam)
    learning_rate: float = 0.02
    schedule: Rate = field(default_factory=InverseRoot)
    samples: int = 4
    batch_size: int | None = None
    kl_warmup: int = 0
    clip_norm: float | None = None
    clip_ratio: float | None = 10.0
    init_sd: float = 0.1

    @classmethod
    def prepared(cls, density: Any, settings: Mapping[str, Any]) -> tuple[Kernel, Any]:
        kernel = cls(**read_settings(settings))
        kernel = replace(kernel, guide=beside_points(kernel.guide, density))
        check_points(kernel.guide, kernel.estimator, kernel.objective.alpha)
        if isinstance(kernel.guide, Delta):  # all samples of a point are one, and all estimators
            kernel = replace(kernel, estimator="", samples=1)
        if isinstance(kernel.guide, ModelGuide):
            by_row = kernel.objective.alpha != 1.0 and plate_of_rows(kernel.guide) is not None
            check_own(kernel.guide, kernel.estimator, kernel.objective.alpha, by_row)
            if kernel.estimator == "enumeration":
                enumerated(kernel.guide)
        elif kernel._local:
            return kernel, TARGETS[kernel.estimator](density, kernel.batch_size)
        if kernel.batch_size is None and not kernel.kl_warmup:
            return kernel, density
        if not isinstance(kernel.guide, ModelGuide):
            return kernel, minibatch_target(density, kernel.batch_size)
        drawn = frozenset(site.name for site in kernel.guide.drawn)
        target = minibatch_target(density, kernel.batch_size, drawn)
        return replace(kernel, guide=kernel.guide.in_batches(target)), target

    @classmethod
    def placing(
        cls, model: Any, data: Sequence[Any], settings: Mapping[str, Any]
    ) -> AbstractContextManager[Any]:
        guide = read_settings(settings).get("guide")
        if not isinstance(guide, ModelGuide):
            return nullcontext()
        return Placed(discrete_in(guide.function, data))

    def init(self, key: Any, position: Any, density: Any) -> VIState:
        guide, zero = self.guide.given(density.data), bnp.zeros((), position.dtype)
        params, baseline = guide.start(key, position, self.init_sd), zero
        if isinstance(guide, ModelGuide) and self._scores_alone:
            baseline = first_baseline(guide, position.dtype)
        return VIState(position, params, params, self.optimiser.start(params), key, baseline, zero)

    def step(
        self, key: Any, state: VIState, density: Any, phase: Phase
    ) -> tuple[Any, VIInfo | VIEstimates]:
        found: tuple[VIState, VIInfo] = cond(
            phase.tuning,
            lambda s: self._improve(key, s, density, phase),
            lambda s: self._draw(key, s, density, phase),
            state,
        )
        return found

    def finished(self, info: Mapping[str, np.ndarray[Any, Any]]) -> bool:
        if self.broken(info) is not None:
            return True
        bounds = info[self._bound_name]
        return not self.schedule.whole and settled(bounds[np.isfinite(bounds)])

    def learned(self, state: VIState) -> FittedGuide | None:
        if not isinstance(self.guide, ModelGuide):
            return None
        target, _ = self.guide.both
        return FittedGuide(self.guide, state.average, target.model, target.dtype, target.ambient)

    def broken(self, info: Mapping[str, np.ndarray[Any, Any]]) -> int | None:
        bounds = info[self._bound_name]
        finite = np.flatnonzero(np.isfinite(bounds))
        after = int(finite[-1]) + 1 if finite.size else 0
        return after if len(bounds) - after >= LOST else None

    @property
    def _local(self) -> bool:
        return bool(self.estimator) and ESTIMATORS[self.estimator].local

    @property
    def _named_estimator(self) -> str:
        return self.estimator or self.guide.estimator

    @property
    def _scores_alone(self) -> bool:
        """Whether no other sample is there to be a baseline."""
        return self._named_estimator == "score_function" and self.samples == 1

    @property
    def _bound_name(self) -> str:
        return "elbo" if self.batch_size is None else "elbo_estimate"

    def _improve(
        self, key: Any, state: VIState, density: Any, phase: Phase
    ) -> tuple[Any, VIInfo | VIEstimates]:
        seen = self._estimate(key, state, density, phase)
        dtype = state.position.dtype
        rate = self.learning_rate * self.schedule(phase.iteration, phase.fraction)
        gradient, usual = clipped(seen.gradient, self.clip_norm), state.usual
        if self.clip_ratio is not None:
            made = bnp.asarray(phase.iteration, dtype)
            gradient, usual = without_spike(gradient, usual, made, self.clip_ratio)
        moments, change = self.optimiser.change(
            state.optimiser, gradient, state.params, bnp.asarray(rate, dtype)
        )
        params = tree_map(lambda p, c: p + c, state.params, change)
        count = bnp.asarray(phase.iteration + 1, dtype)
        average = tree_map(lambda a, p: averaged(a, p, count), state.average, params)
        baseline = self._baseline(seen, state, phase)
        moved = VIState(state.position, params, average, moments, state.order, baseline, usual)
        return moved, self._info(seen.log_density, seen.bound)

    def _baseline(self, seen: Estimate, state: VIState, phase: Phase) -> Any:
        def moved(now: Any, so_far: Any) -> Any:
            before = bnp.where(phase.iteration == 0, now, so_far)
            return before + BASELINE_RATE * (bnp.where(bnp.isfinite(now), now, before) - before)

        weights = seen.bound if seen.weights is None else seen.weights
        return tree_map(moved, weights, state.baseline)

    def _estimate(self, key: Any, state: VIState, density: Any, phase: Phase) -> Estimate:
        warmth = self._warmth(phase, state.position.dtype)
        guide = self.guide.given(density.data).at(Turn(state.order, phase.iteration, warmth))
        keys, tempered = keys_of(key, self.samples), 1.0 if warmth is None else warmth
        if isinstance(guide, ModelGuide):
            params = state.params
            if self._named_estimator == "score_function":
                return estimate_by_scores(guide, params, keys, tempered, state.baseline)
            if self._named_estimator == "enumeration":
                return estimate_by_enumeration(guide, params, keys, tempered)
            by_row = self.objective.alpha != 1.0 and plate_of_rows(guide) is not None
            if by_row or self._local:
                closed = self._local
                return estimate_by_terms(
                    self.objective, guide, state.params, keys, tempered, closed
                )
        return estimate(
            ESTIMATORS[self._named_estimator],
            self.objective,
            guide,
            state.params,
            keys,
            self._here(density, state, phase, warmth),
            tempered,
            state.baseline,
        )

    def _draw(
        self, key: Any, state: VIState, density: Any, phase: Phase
    ) -> tuple[Any, VIInfo | VIEstimates]:
        guide = self.guide.given(density.data)
        position, log_guide = guide.sample_and_log_prob(state.average, key)
        value, _ = self._here(density, state, phase, self._warmth(phase, position.dtype))(position)
        weight = value - log_guide if self.guide.has_density else bnp.full_like(value, np.nan)
        return replace(state, position=position), self._info(value, weight)

    def _warmth(self, phase: Phase, dtype: Any) -> Any:
        if not self.kl_warmup:
            return None
        part = bnp.minimum((phase.iteration + 1) / self.kl_warmup, 1.0)
        return bnp.asarray(bnp.where(phase.tuning, part, 1.0), dtype)

    def _here(self, density: Density, state: VIState, phase: Phase, warmth: Any) -> Density:
        own = self._local and not isinstance(self.guide, ModelGuide)
        if self.batch_size is None and warmth is None and not own:
            return density
        turn = Turn(state.order, phase.iteration, warmth)
        return lambda place, noise=None: density(place, replace(turn, noise=noise))

    def _info(self, log_density: Any, bound: Any) -> VIInfo | VIEstimates:
        kind = VIInfo if self.batch_size is None else VIEstimates
        return kind(log_density, bound)

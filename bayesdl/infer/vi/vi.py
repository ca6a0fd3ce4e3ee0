"""Variational inference: a guide fitted to the density by stochastic ascent on a bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from typing import Any, ClassVar

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.tree import tree_map
from bayesdl.infer.culprit import computed
from bayesdl.infer.kernel import Density, Kernel, Phase, Replay, kernel, tuning_at
from bayesdl.infer.minibatch import Turn, minibatch_target
from bayesdl.infer.optim._base import Optimiser
from bayesdl.infer.optim.adam import Adam
from bayesdl.infer.optim.averaging import averaged
from bayesdl.infer.optim.clipping import clipped, without_spike
from bayesdl.infer.optim.course import (
    Course,
    counts,
    either,
    is_over,
    lost_from,
    onward,
    start_course,
)
from bayesdl.infer.optim.lbfgs import LBFGS
from bayesdl.infer.optim.rates import InverseRoot, Rate
from bayesdl.model.summed import Placed
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.tracing.flow import cond
from bayesdl.transform.derived import value_and_grad

from .closed import closed_target
from .enumeration import enumerated, estimate_by_enumeration
from .estimators import ESTIMATORS, Estimate, estimate, keys_of
from .fitted import FittedGuide
from .guides import Delta, Guide, MeanField, ModelGuide, beside_points
from .guides.model import discrete_in
from .local import Spread, flipped_target, local_target
from .objectives import Renyi
from .scores import estimate_by_scores, first_baseline
from .settings import check_own, check_rows, estimator_of_points, read_settings
from .terms import estimate_by_terms, plate_of_rows

TARGETS = {
    "local_reparametrised": local_target,
    "flipout": flipped_target,
    "closed_form_kl": closed_target,
}
BASELINE_RATE = 0.1


@dataclass(frozen=True)
class VIState:
    """Where the optimisation stands.

    Parameters
    ----------
    position : Array, shape (dim,)
        The mean draw of the guide's start, then the last draw.
    params : container of arrays
        Of the guide: where the bound is taken next.
    average : container of arrays
        Of the last params at which the bound was finite; draws come from it.
    optimiser : container of arrays
    order : Array of uint32, shape (2,)
        Names the order of the rows in minibatches.
    baseline : container of arrays
        Running mean of the bound, or of what single scores are weighted with.
    usual : Array, shape ()
        Running mean of the gradient's squared length.
    course : Course
    """

    __tree__: ClassVar[bool] = True

    position: Any
    params: Any
    average: Any
    optimiser: Any
    order: Any
    baseline: Any
    usual: Any
    course: Course


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
        ``"planar"``, ``"iaf"``, ``"coupling"``, ``"map"`` or ``"delta"`` (one point), a guide with
        settings of its own, or a model function of yours (`guides.model.ModelGuide`).
    objective : Renyi
        ``"elbo"``, ``"iwae"`` (importance weighted, on `samples` samples), or ``Renyi(alpha)``; of
        minibatches the latter two only where each row has a bound of its own.
    estimator : str, optional
        Of the gradient: ``"reparametrised"``, ``"sticking_the_landing"``,
        ``"doubly_reparametrised"``, ``"closed_form_entropy"``, ``"score_function"`` (its baseline
        is the mean of the other samples, or of a single one the running mean),
        ``"enumeration"`` (discrete unknowns that a guide of your own draws are summed over),
        ``"closed_form_kl"`` (for a mean-field guide or one of your own: divergences from the prior
        where they have a formula), for a mean-field guide of networks
        ``"local_reparametrised"``: rows do not share the noise of the weights of linear layers; or
        ``"flipout"``: nor do they share its signs, in convolutions too. With both the likelihood of
        a row must not depend on others. If not given the guide's own, or where that is
        for the ELBO and the objective is another the doubly reparametrised one, or the
        reparametrised one where parameters have no prior.
    optimiser : Optimiser or LBFGS
        ``"adam"``, ``"adamw"``, ``"sgd"``, or one with settings of its own; for one point and all
        rows ``"lbfgs"``, which climbs for at most `tune` steps until the gradient is small.
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
    before by more than its noise, twice in a row (`settled`), bounds of the warm-up not counted; or
    after all of `tune` where the schedule falls over all of it; and with an error when ten steps in
    a row have no finite bound or gradient. Such steps change nothing, and single ones are passed
    over (`optim.course`). Draws come from an average of the last guides; their mean
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
    when_lost: ClassVar[str] = "give a smaller learning_rate, clip_norm=1.0, or a smaller init_sd."

    guide: Guide = field(default_factory=MeanField)
    objective: Renyi = field(default_factory=Renyi)
    estimator: str = ""
    optimiser: Optimiser | LBFGS = field(default_factory=Adam)
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
        guide, given = beside_points(kernel.guide, density), bool(settings.get("estimator"))
        alpha, minibatched = kernel.objective.alpha, kernel.batch_size is not None
        estimator = estimator_of_points(guide, kernel.estimator, alpha, given)
        kernel = replace(kernel, guide=guide, estimator=estimator)
        if isinstance(kernel.guide, Delta):  # all samples of a point are one, and all estimators
            kernel = replace(kernel, estimator="", samples=1)
        check_rows(kernel.guide, alpha, kernel._by_row, minibatched or density.minibatched)
        if isinstance(kernel.guide, ModelGuide):
            check_own(kernel.guide, kernel.estimator, alpha, kernel._by_row)
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
        moments = self._steps.start(params) if self.climber is None else ()
        course = start_course(position.dtype)
        return VIState(position, params, params, moments, key, baseline, zero, course)

    @classmethod
    def coarse(cls, settings: Mapping[str, Any]) -> bool:
        return not isinstance(read_settings(settings).get("optimiser"), LBFGS)

    @property
    def climber(self) -> LBFGS | None:
        return self.optimiser if isinstance(self.optimiser, LBFGS) else None

    def step(
        self, key: Any, state: VIState, density: Any, phase: Phase
    ) -> tuple[Any, VIInfo | VIEstimates]:
        if self.climber is not None:
            return self._draw(key, state, density, phase)
        found: tuple[VIState, VIInfo] = cond(
            phase.tuning,
            lambda s: self._improve(key, s, density, phase),
            lambda s: self._draw(key, s, density, phase),
            state,
        )
        return found

    def finished(self, info: Mapping[str, np.ndarray[Any, Any]]) -> bool:
        return is_over(info[self._bound_name], self.schedule.whole, self.kl_warmup)

    def learned(self, state: VIState) -> FittedGuide | None:
        if not isinstance(self.guide, ModelGuide):
            return None
        target, _ = self.guide.both
        return FittedGuide(self.guide, state.average, target.model, target.dtype, target.ambient)

    def broken(self, info: Mapping[str, np.ndarray[Any, Any]]) -> int | None:
        return lost_from(info[self._bound_name])

    def replays(self, key: Any, state: VIState, step: int, target: Any) -> Iterator[Replay]:
        turn = Turn(state.order, np.int64(step), self._warmth(tuning_at(step), target.dtype))
        guide, turned = self.guide.given(target.data).at(turn), self._turned(turn.prior)

        def place_of(params: Any, key: Any) -> Any:
            draw, _ = guide.sample_and_log_prob(params, key)
            if not self._own_target:
                return draw
            return Spread(draw, *guide.mean_and_sd(params))

        for one in keys_of(key, self.samples):
            first, noise = random.split(one, 2) if self._own_target else (one, None)
            yield Replay(place_of, (state.params, first))
            place = computed(place_of, state.params, first)
            extra = (replace(turn, noise=noise),) if turned else ()
            draw = place.draw if self._own_target else place
            yield Replay(value_and_grad(target.function), (place, *extra, *target.data), draw)

    @property
    def _steps(self) -> Optimiser:
        """What makes the steps, where there are any."""
        assert isinstance(self.optimiser, Optimiser)
        return self.optimiser

    @property
    def _local(self) -> bool:
        return bool(self.estimator) and ESTIMATORS[self.estimator].local

    @property
    def _by_row(self) -> bool:
        """Whether each row has a bound of its own."""
        own = isinstance(self.guide, ModelGuide) and plate_of_rows(self.guide) is not None
        return own and self.objective.alpha != 1.0

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
        dtype, made = state.position.dtype, state.course.made
        taken = counts(state.course, seen.bound, seen.gradient)
        rate = self.learning_rate * self.schedule(phase.iteration, phase.fraction)
        gradient, usual = clipped(seen.gradient, self.clip_norm), state.usual
        if self.clip_ratio is not None:
            gradient, usual = without_spike(gradient, usual, made, self.clip_ratio)
        moments, change = self._steps.change(
            state.optimiser, gradient, state.params, bnp.asarray(rate, dtype)
        )
        params = tree_map(lambda p, c: p + c, state.params, change)
        average = tree_map(lambda a, p: averaged(a, p, made + 1.0), state.average, state.params)
        learned = (params, average, moments, self._baseline(seen, state), usual)
        old = state.params, state.average, state.optimiser, state.baseline, state.usual
        params, average, moments, baseline, usual = either(taken, learned, old)
        course = onward(taken, state.course)
        moved = VIState(
            state.position, params, average, moments, state.order, baseline, usual, course
        )
        return moved, self._info(seen.log_density, bnp.where(taken, seen.bound, np.nan))

    def _baseline(self, seen: Estimate, state: VIState) -> Any:
        """The running mean with what was seen now, which is the mean at first."""

        def moved(now: Any, so_far: Any) -> Any:
            before = bnp.where(state.course.made == 0.0, now, so_far)
            return before + BASELINE_RATE * (now - before)

        weights = seen.bound if seen.weights is None else seen.weights
        return tree_map(moved, weights, state.baseline)

    def _estimate(self, key: Any, state: VIState, density: Any, phase: Phase) -> Estimate:
        warmth = self._warmth(phase, state.position.dtype)
        guide = self.guide.given(density.data).at(Turn(state.order, phase.iteration, warmth))
        keys, tempered = keys_of(key, self.samples), 1.0 if warmth is None else warmth
        if isinstance(guide, ModelGuide):
            params, closed = state.params, self._local
            if self._named_estimator == "score_function":
                return estimate_by_scores(guide, params, keys, tempered, state.baseline)
            if self._named_estimator == "enumeration":
                return estimate_by_enumeration(guide, params, keys, tempered)
            if self._by_row or closed:
                return estimate_by_terms(self.objective, guide, params, keys, tempered, closed)
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

    @property
    def _own_target(self) -> bool:
        """Whether the bound is that of a target which knows the guide's spread."""
        return self._local and not isinstance(self.guide, ModelGuide)

    def _turned(self, warmth: Any) -> bool:
        """Whether the target is told which estimate it is asked for."""
        return self.batch_size is not None or warmth is not None or self._own_target

    def _here(self, density: Density, state: VIState, phase: Phase, warmth: Any) -> Density:
        if not self._turned(warmth):
            return density
        turn = Turn(state.order, phase.iteration, warmth)
        return lambda place, noise=None: density(place, replace(turn, noise=noise))

    def _info(self, log_density: Any, bound: Any) -> VIInfo | VIEstimates:
        kind = VIInfo if self.batch_size is None else VIEstimates
        return kind(log_density, bound)

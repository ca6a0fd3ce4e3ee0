"""Posterior: what fit returns, whatever the method, and what can be asked of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl import export
from bayesdl._base.errors import ArgumentError, ModelError, SiteError, did_you_mean
from bayesdl._base.source import user_source
from bayesdl.export import storage
from bayesdl.export.functions import Functions, Prepared
from bayesdl.infer.draws import Draws, Moment
from bayesdl.infer.each import EachDraw
from bayesdl.infer.keep import MOMENTS
from bayesdl.infer.lazy import Lazy
from bayesdl.infer.vi.fitted import FittedGuide, SavedGuide
from bayesdl.ir.types import ArrayType
from bayesdl.lower.executable import Executable
from bayesdl.model.expected import PROBS, VARIANCE
from bayesdl.ops import random

from .psis import psis
from .summary import SummaryTable, summary_of_moments
from .summary import summary as summarise
from .uncertainty import Uncertainty, averaged, of_averages, selected
from .verdict import Verdict, of_approximation, of_chains, of_moments

Arrays = dict[str, np.ndarray[Any, Any]]
# Numbers among the predictions that a verdict looks at.
ENOUGH = 20_000_000
# Numbers that are read at once of draws on disk, for a verdict.
ENOUGH_FROM_DISK = 5_000_000
_PARTS = {"variance": VARIANCE, "probs": PROBS}


class Posterior:
    """Draws of a model's unknowns, and what can be asked of them.

    Parameters
    ----------
    draws : Draws
        Values of latent and deterministic sites, shape (chain, draw, *shape).
    functions : Functions or None
        What predicts; None where a latent site was not kept, or a file holds nothing that does
        and the model was not found.
    latent : sequence of str
        Names of what was kept that predictions are computed from: latent sites, or parameters of
        the observed ones.
    dims, coords : mappings
        Names and labels of axes.
    observed : dict of name to array
        Values of the observed sites.
    data : dict of label to array
        The arrays that the model was fitted to.
    reference : str
        Module and name of the model.
    learned : FittedGuide or SavedGuide, optional
        Of variational inference with a guide of one's own.
    """

    def __init__(
        self,
        draws: Draws,
        functions: Functions | None,
        *,
        latent: Sequence[str],
        dims: Mapping[str, Sequence[str | None]],
        coords: Mapping[str, Sequence[Any]],
        observed: Arrays,
        data: Arrays,
        reference: str = "",
        learned: FittedGuide | SavedGuide | None = None,
    ) -> None:
        self.draws, self.functions, self.latent = draws, functions, tuple(latent)
        self.dims, self.coords = dict(dims), dict(coords)
        self.observed, self.data, self.reference = observed, data, reference
        self.learned = learned
        self._compiled: dict[Any, EachDraw] = {}
        self._native: dict[Any, Executable] = {}

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        if name in self.draws.moments:
            raise SiteError(
                f'the draws of "{name}" were not kept, only their moments.',
                facts=[("kept", ", ".join(self.draws.moments))],
                fix=f'posterior.moments["{name}"].mean, or .sd; keep="all" keeps the draws.',
                where=user_source(),
                code="M117",
            )
        if name not in self.draws.values:
            guess = did_you_mean(name, self.draws.values)
            raise SiteError(
                f'there are no draws of a site "{name}".',
                facts=[("sites", ", ".join(self.draws.values))],
                fix=f'did you mean "{guess}"?' if guess else "use one of these names.",
                where=user_source(),
                code="M117",
            )
        return self.draws.values[name]

    def __repr__(self) -> str:
        name = self.functions.name if self.functions else self.reference or "an unknown model"
        return f"Posterior of {name} by {self.draws.attrs.get('method')}: {self.draws!r}"

    @property
    def guide(self) -> FittedGuide | None:
        """Of variational inference with a guide of one's own: what it says of other rows.

        Raises
        ------
        ModelError
            If it was loaded without its functions.
        """
        if isinstance(self.learned, SavedGuide):
            raise ModelError(
                "the file holds the guide's parameters, and not the functions that read them.",
                facts=[("parameters", ", ".join(self.learned.params["own"]) or "none")],
                fix="pass them: bayesdl.load(path, model=my_model, guide=my_guide).",
                where=user_source(),
                code="E104",
            )
        return self.learned

    @property
    def moments(self) -> Mapping[str, Moment]:
        """Mean, sd, R-hat and ESS by site, of a fit with ``keep="moments"``; else empty."""
        return self.draws.moments

    def summary(self, ci_prob: float = 0.9) -> SummaryTable:
        """Mean, sd, interval, ESS, R-hat of every element of every site; k-hat of an approximation.

        Parameters
        ----------
        ci_prob : float, default 0.9
            Probability inside the equal-tailed interval.

        Returns
        -------
        SummaryTable
            Where only moments were kept, without intervals.
        """
        if self.draws.moments:
            return summary_of_moments(self.draws.moments)
        return summarise(self.draws.values, ci_prob, khat=self.khat)

    @property
    def khat(self) -> float | None:
        """Pareto k-hat of an approximation: how far its tails are from the posterior's.

        The shape of the largest importance weights, exp(log density − log density of the guide), at
        its draws; the worst chain's. Above 0.7 the approximation is not to be trusted. None for
        methods that do not know the density that they draw from.

        References
        ----------
        Yao, Vehtari, Simpson & Gelman (2018), Yes, but did it work?: Evaluating variational
        inference, section 3.
        """
        log_weights = self.draws.stats.get("elbo")
        if log_weights is None or not np.isfinite(log_weights).all():
            return None
        return float(np.max(psis(log_weights.T)[1]))

    def verdict(self) -> Verdict:
        """What is wrong with the draws, by how much, and what to do about it.

        Chains: R-hat, ESS, divergences and the sites that set them apart, tree depth, E-BFMI; of a
        network, R-hat and ESS are those of its predictions at the fitted data, not of its weights.
        Of very many draws on disk, a part is judged: their ESS is then a lower bound.
        Approximations: k-hat, where it is known, draws that have no finite log density, and the
        gradient where L-BFGS ended.

        Returns
        -------
        Verdict
            Prints a line for each thing checked; ``verdict().fine`` says whether all is well.
        """
        attrs = self.draws.attrs
        if "optimisation_steps" in attrs:
            return of_approximation(self.khat, self.draws.stats, attrs)
        weights = tuple(attrs.get("weights", ()))
        settings = attrs.get("settings", {})
        if self.draws.moments:
            return of_moments(self.draws.moments, self.draws.stats, limits=settings)
        factor = self._from_disk()
        seen = self.thin(factor) if factor > 1 else self
        return of_chains(
            {name: seen.draws.values[name] for name in self._judged_names()},
            self.draws.stats,
            predictions=seen._means() if weights and self.functions else None,
            weights=weights,
            limits=settings,
            thinned=factor,
        )

    def _judged_names(self) -> tuple[str, ...]:
        """What predictions are computed from; where none of that was kept, what was."""
        return self.latent or tuple(self.draws.values)

    def _from_disk(self) -> int:
        """One draw in so many is looked at where reading all of them would fill the memory."""
        values = (self.draws.values[name] for name in self._judged_names())
        numbers = sum(math.prod(v.shape) for v in values if isinstance(v, Lazy))
        return max(1, -(-numbers // ENOUGH_FROM_DISK))

    def _means(self) -> Arrays:
        """Predictive means at the fitted data, of as many draws as can be looked at."""
        rows = sum(np.size(value) for value in self.observed.values())
        factor = -(-rows * self.draws.chains * self.draws.count // ENOUGH)
        found = self.thin(max(factor, 1)).predict(kind="mean")
        return {name: value for name, value in found.items() if name in self.observed}

    def thin(self, factor: int) -> Posterior:
        """The posterior with every `factor`-th draw, for predictions and files that cost less.

        Raises
        ------
        ArgumentError
            If factor is not a whole number of at least 1.
        """
        if not isinstance(factor, int | np.integer) or factor < 1:
            raise ArgumentError(
                "a posterior is thinned by a whole number.",
                facts=[("given", repr(factor))],
                fix="for example thin(10), which keeps every tenth draw.",
                where=user_source(),
                code="A108",
            )
        values, stats = (
            {name: value[:, ::factor] for name, value in group.items()}
            for group in (self.draws.values, self.draws.stats)
        )
        thin = int(factor) * int(self.draws.attrs.get("thin", 1))
        attrs = {**self.draws.attrs, "thin": thin}
        return self._with(replace(self.draws, values=values, stats=stats, attrs=attrs))

    def predict(self, *args: Any, kind: str = "y", random_seed: int = 0, **kwargs: Any) -> Arrays:
        """Predictions for new data, one for each draw.

        Parameters
        ----------
        *args, **kwargs
            The model's arguments, for any number of rows; observed values may be left out. The
            fitted data if none are given.
        kind : {"y", "mean", "variance", "probs"}, default "y"
            New observations; or the mean, or the variance, of each observed site's distribution;
            or the probabilities of its classes along a last axis, of a Bernoulli site those of 0
            and 1. The mean of a categorical site is its probabilities as well, and the variance
            that of each class's indicator: the number of a class is only a name.
        random_seed : int, default 0

        Returns
        -------
        dict of name to array, shape (chain, draw, *shape)
            The observed and, of new observations and means, the deterministic sites.

        Raises
        ------
        ArgumentError, ShapeError, DtypeError
            If the arguments are not such as the model was fitted to; if no site has classes where
            probabilities are asked for.
        ClosedFormError
            If a distribution has no formula for a mean or variance that is asked for.

        Notes
        -----
        Rows are computed in chunks where they are shown not to meet, by code that serves data of
        any length: memory beside the data, the draws and the result stays below about 100 MB. Where
        they meet, as in a Gaussian process, they are computed at once.
        """
        if kind not in ("y", "mean", *_PARTS):
            raise ArgumentError(
                f"there is no prediction of kind {kind!r}.",
                fix='use kind="y" for new observations, "mean", "variance" or "probs".',
                where=user_source(),
                code="M119",
            )
        prepared = self._functions().prepare("parts" if kind in _PARTS else kind, args, kwargs)
        if kind in _PARTS:
            chosen = selected(prepared.function, _PARTS[kind])
            prepared = replace(prepared, function=chosen, key=(kind, prepared.key))
        return self._each(prepared, (self._flat(), self._keys(random_seed)))

    def uncertainty(
        self, *args: Any, random_seed: int = 0, **kwargs: Any
    ) -> dict[str, Uncertainty]:
        """Predictions for new data, and how uncertain they are for which of two reasons.

        Of numbers, by the law of total variance, and of classes, in nats:

            Var y = E[Var(y | θ)] + Var[E(y | θ)],    H(E p) = E[H(p)] + I(y; θ)

        The first part is aleatoric: it stays, however many data there are. The second is epistemic:
        the draws θ disagree, and more data would take it away.

        Parameters
        ----------
        *args, **kwargs
            As for `predict`.
        random_seed : int, default 0
            Of discrete unknowns, which are drawn anew; what they leave open counts as epistemic.

        Returns
        -------
        dict of name to Uncertainty
            For each observed site `mean`, `total`, `aleatoric` and `epistemic`, of the site's
            shape; of categorical and Bernoulli sites, `mean` has the probabilities along a last
            axis.

        Raises
        ------
        ClosedFormError
            If a distribution has no formula for its mean or variance.
        BayesdlError
            What `predict` raises.

        Notes
        -----
        Averages over draws are updated draw by draw, and rows go in chunks as in `predict`: of the
        draws' own predictions none is kept. All numbers are in float64.

        References
        ----------
        Depeweg, Hernández-Lobato, Doshi-Velez & Udluft (2018), Decomposition of uncertainty in
        Bayesian deep learning, section 3 (arXiv:1710.07283).
        """
        prepared = self._functions().prepare("parts", args, kwargs)
        function = averaged(prepared.function)
        each = self._each_of(replace(prepared, function=function, key=("all", prepared.key)))
        draws = self._flat(), self._keys(random_seed)
        return of_averages(self.observed, *each.moments(draws, prepared.data), self.dims)

    def log_likelihood(self, *args: Any, **kwargs: Any) -> Arrays:
        """Log likelihood of each observation under each draw, never scaled.

        Parameters
        ----------
        *args, **kwargs
            The model's arguments, observed values among them; the fitted data if none are given.

        Returns
        -------
        dict of name to array, shape (chain, draw, *shape)
        """
        prepared = self._functions().prepare("log_likelihood", args, kwargs)
        return self._each(prepared, self._flat())

    def observed_values(self, *args: Any, **kwargs: Any) -> Arrays:
        """Data of the observed sites, as the model's statements see these arguments."""
        return self._functions().observed(args, kwargs)

    def to_xarray(self, *, posterior_predictive: bool = False, log_likelihood: bool = False) -> Any:
        """An ``xarray.DataTree`` in ArviZ's schema; see `to_arviz`."""
        observed = list(self.observed.values())
        groups: dict[str, Arrays] = {
            "posterior": self.draws.values,
            "sample_stats": self.draws.stats,
            "warmup_posterior": self.draws.warmup,
            "warmup_sample_stats": self.draws.warmup_stats,
            "posterior_predictive": self._of_observed(self.predict) if posterior_predictive else {},
            "log_likelihood": self.log_likelihood() if log_likelihood else {},
            MOMENTS: {
                f"{name}.{word}": array
                for name, moment in self.draws.moments.items()
                for word, array in vars(moment).items()
            },
            "observed_data": self.observed,
            "constant_data": {
                label: value
                for label, value in self.data.items()
                if not any(np.array_equal(value, o) for o in observed)
            },
        }
        attrs = {**self.draws.attrs, "model": self.reference}
        of_moments = {
            label: self.dims.get(label.rpartition(".")[0], ()) for label in groups[MOMENTS]
        }
        dims = {**self.dims, **of_moments}
        return export.to_datatree(groups, dims=dims, coords=self.coords, attrs=attrs)

    def to_arviz(self, *, posterior_predictive: bool = False, log_likelihood: bool = False) -> Any:
        """What the installed ArviZ takes: a DataTree (1.x) or InferenceData (0.2x).

        Parameters
        ----------
        posterior_predictive : bool, default False
            Whether to add new observations at the fitted data, one for each draw.
        log_likelihood : bool, default False
            Whether to add the pointwise log likelihood, which ``arviz.loo`` needs.

        Returns
        -------
        xarray.DataTree or arviz.InferenceData
            Groups posterior, sample_stats, observed_data, constant_data, those of a saved warm-up,
            and those asked for.
            Nothing is sampled again.
        """
        return export.to_arviz(
            self.to_xarray(posterior_predictive=posterior_predictive, log_likelihood=log_likelihood)
        )

    def save(self, path: Any, *, overwrite: bool = False) -> None:
        """Write everything to one netCDF file that ArviZ can read too.

        Parameters
        ----------
        path : str or path
        overwrite : bool, default False

        Raises
        ------
        ArgumentError
            If the file exists and `overwrite` is false.

        Warns
        -----
        UserWarning
            If the model's structure depends on the number of rows, so that the file will need its
            source to predict.

        Notes
        -----
        The file holds the model as compiled code sees it, a Program for any number of rows: whoever
        loads it needs neither the model's source nor the data to predict. No Python is stored.
        """
        storage.save(self._saved(self.to_xarray()), path, overwrite=overwrite)

    def complete(self, path: Any) -> None:
        """Add to the folder of streamed draws what `load` needs besides them."""
        tree = self._with(replace(self.draws, values={}, stats={})).to_xarray()
        storage.complete(self._saved(tree), path)

    def _saved(self, tree: Any) -> storage.Saved:
        functions = export.recorded(self.functions, self._latent_types())
        stored, arrays = (
            export.to_record(functions)
            if isinstance(functions, export.StoredFunctions)
            else ({}, [])
        )
        constant = tree.children["constant_data"].data_vars if "constant_data" in tree else ()
        guide = None
        if self.learned is not None:
            guide, parameters = export.guide_record(self.learned, len(arrays))
            arrays = [*arrays, *parameters]
        kept = {
            "guide": guide,
            "latent": list(self.latent),
            "dims": {name: list(dims) for name, dims in self.dims.items()},
            "data": {label: self._place(label, constant) for label in self.data},
            "model": stored,
        }
        return storage.Saved(tree, kept, arrays)

    def _place(self, label: str, constant: Any) -> tuple[str, str]:
        """The group and variable in which the data of an argument are."""
        if label in constant:
            return "constant_data", label
        value = self.data[label]
        same = (name for name, o in self.observed.items() if np.array_equal(value, o))
        return "observed_data", next(same)

    def _with(self, draws: Draws) -> Posterior:
        found = Posterior(
            draws,
            self.functions,
            latent=self.latent,
            dims=self.dims,
            coords=self.coords,
            observed=self.observed,
            data=self.data,
            reference=self.reference,
            learned=self.learned,
        )
        found._compiled, found._native = self._compiled, self._native
        return found

    def _functions(self) -> Functions:
        missing = self.draws.attrs.get("not_kept")
        if missing:
            raise SiteError(
                "what the model computes at its draws needs all latent sites.",
                facts=[
                    ("not kept", ", ".join(missing)),
                    ("kept", ", ".join(self.draws.values) or "moments"),
                ],
                fix='fit with keep="all", or name these sites in keep too.',
                where=user_source(),
                code="M117",
            )
        if self.functions is None:
            raise ModelError(
                "the model of this file was not found, so nothing can be predicted.",
                facts=[("model", self.reference)],
                fix="pass it: bayesdl.load(path, model=my_model).",
                where=user_source(),
                code="E104",
            )
        return self.functions

    def _of_observed(self, function: Callable[[], Arrays]) -> Arrays:
        return {name: value for name, value in function().items() if name in self.observed}

    def _flat(self) -> Arrays:
        flat = self.draws.flat()
        return {name: flat[name] for name in self.latent}

    def _latent_types(self) -> dict[str, ArrayType]:
        values = {name: self.draws.values[name] for name in self.latent}
        return {name: ArrayType(v.shape[2:], v.dtype) for name, v in values.items()}

    def _keys(self, random_seed: int) -> np.ndarray[Any, Any]:
        """One for each draw."""
        count = self.draws.chains * self.draws.count
        return np.asarray(random.split(random.key(random_seed), count))

    def _each_of(self, prepared: Prepared) -> EachDraw:
        """Traced once for all data of the same types."""
        if prepared.key not in self._compiled:
            self._compiled[prepared.key] = EachDraw(
                prepared.function, prepared.dtype, compiled=self._native
            )
        return self._compiled[prepared.key]

    def _each(self, prepared: Prepared, draws: Any) -> Arrays:
        """Results by chain and draw."""
        found = self._each_of(prepared)(draws, prepared.data)
        shape = (self.draws.chains, self.draws.count)
        return {name: np.asarray(v).reshape(*shape, *np.shape(v)[1:]) for name, v in found.items()}

"""Posterior: what fit returns, whatever the method; and load, which brings one back from disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.errors import ModelError, SiteError
from bayesdl._base.source import user_source
from bayesdl.export import storage
from bayesdl.export.arviz import to_arviz, to_datatree
from bayesdl.infer import fit as inference
from bayesdl.infer.draws import Draws
from bayesdl.infer.each import EachDraw
from bayesdl.model import Model, as_model
from bayesdl.model.density import Density
from bayesdl.model.predict import log_likelihood, predictive
from bayesdl.ops import random

from .summary import SummaryTable
from .summary import summary as summarise

Arrays = dict[str, np.ndarray[Any, Any]]


class Posterior:
    """Draws of a model's unknowns, and what can be asked of them.

    Parameters
    ----------
    draws : Draws
        Values of latent and deterministic sites, shape (chain, draw, *shape).
    model : Model or None
        None where a file was loaded without its model.
    latent : tuple of str
        Names of the latent sites.
    dims, coords : mappings
        Names and labels of axes.
    data, constant : dict of name to array
        Values of the observed sites, and the other data.
    arguments : tuple
        What the model was fitted to; empty after `load`.
    """

    def __init__(
        self,
        draws: Draws,
        model: Model | None,
        latent: tuple[str, ...],
        dims: Mapping[str, Any],
        coords: Mapping[str, Any],
        data: Arrays,
        arguments: tuple[Any, ...] = (),
        constant: Arrays | None = None,
    ) -> None:
        self.constant = dict(constant or {})
        self.draws, self.model, self.latent = draws, model, latent
        self.dims, self.coords, self.data, self.arguments = (
            dict(dims),
            dict(coords),
            data,
            arguments,
        )

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        if name not in self.draws.values:
            raise SiteError(
                f'there are no draws of a site "{name}".',
                facts=[("sites", ", ".join(self.draws.values))],
                fix="use one of these names.",
                where=user_source(),
                code="M112",
            )
        return self.draws.values[name]

    def __repr__(self) -> str:
        name = self.model.name if self.model is not None else "a model that was not found"
        return f"Posterior of {name} by {self.draws.attrs.get('method')}: {self.draws!r}"

    def summary(self, ci_prob: float = 0.9) -> SummaryTable:
        """Mean, sd, interval, ESS, R-hat of every element of every site."""
        return summarise(self.draws.values, ci_prob)

    def predict(self, *args: Any, kind: str = "y", random_seed: int = 0, **kwargs: Any) -> Arrays:
        """Predictions for new data, one for each draw.

        Parameters
        ----------
        *args, **kwargs
            The model's arguments, for any number of rows; observed values may be left out.
        kind : {"y", "mean"}, default "y"
            New observations, or the mean of each observed site's distribution.
        random_seed : int, default 0

        Returns
        -------
        dict of name to array, shape (chain, draw, *shape)
            Sites without draws of their own: the observed ones.
        """
        model = self._model()
        forward = predictive(
            model, args, kwargs, kind="draw" if kind == "y" else kind, dtype=self._dtype()
        )
        flat = self._flat()
        count = len(next(iter(flat.values())))
        keys = np.asarray(random.split(random.key(random_seed), count))
        each = EachDraw(lambda draw, *data: forward(draw[0], draw[1], *data), forward.dtype)
        return self._by_chain(each((flat, keys), forward.data))

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
        judge = log_likelihood(self._model(), args or self.arguments, kwargs, dtype=self._dtype())
        each = EachDraw(lambda draw, *data: judge(draw, *data), judge.dtype)
        return self._by_chain(each(self._flat(), judge.data))

    def observed_values(self, *args: Any, **kwargs: Any) -> Arrays:
        """Data of the observed sites, as the model's statements see these arguments."""
        return dict(log_likelihood(self._model(), args or self.arguments, kwargs).observed)

    def to_xarray(self) -> Any:
        """An ``xarray.DataTree`` in ArviZ's schema."""
        groups: dict[str, Any] = {
            "posterior": self.draws.values,
            "sample_stats": self.draws.stats,
            "observed_data": self.data,
            "constant_data": self.constant,
        }
        attrs = {
            **self.draws.attrs,
            "model": storage.model_reference(self.model.function) if self.model else "",
            "latent_sites": list(self.latent),
            "site_dims": {k: list(v) for k, v in self.dims.items()},
        }
        return to_datatree(groups, dims=self.dims, coords=self.coords, attrs=attrs)

    def to_arviz(self) -> Any:
        """What the installed ArviZ takes: a DataTree (1.x) or InferenceData (0.2x)."""
        return to_arviz(self.to_xarray())

    def save(self, path: Any, *, overwrite: bool = False) -> None:
        """Write everything to one netCDF file that ArviZ can read too.

        Raises
        ------
        ArgumentError
            If the file exists and `overwrite` is false.
        """
        storage.save_tree(self.to_xarray(), path, overwrite=overwrite)

    def _model(self) -> Model:
        if self.model is None:
            raise ModelError(
                "the model of this file was not found, so nothing can be predicted.",
                facts=[("model", self.draws.attrs.get("model", ""))],
                fix="pass it: bayesdl.load(path, model=my_model).",
                where=user_source(),
                code="E104",
            )
        return self.model

    def _dtype(self) -> np.dtype[Any]:
        """The float dtype that the model was fitted in."""
        return np.dtype(self.draws.values[self.latent[0]].dtype)

    def _flat(self) -> Arrays:
        flat = self.draws.flat()
        return {name: flat[name] for name in self.latent}

    def _by_chain(self, found: Mapping[str, Any]) -> Arrays:
        shape = (self.draws.chains, self.draws.count)
        return {name: np.asarray(v).reshape(*shape, *np.shape(v)[1:]) for name, v in found.items()}


def fit(
    model: Any,
    *data: Any,
    method: str = "nuts",
    draws: int = 1000,
    tune: int | None = None,
    chains: int | None = None,
    cores: int | None = None,
    random_seed: Any = None,
    initvals: Mapping[str, Any] | None = None,
    progressbar: Any = True,
    dtype: Any = np.float64,
    **options: Any,
) -> Posterior:
    """Infer the unknowns of a model from data.

    Parameters
    ----------
    model : Model or callable
    *data
        The model's arguments.
    method : {"nuts", "hmc", "advi", "mc_dropout"}, default "nuts"
    draws : int, default 1000
        Draws of each chain.
    tune : int, optional
        Warm-up iterations, or most steps of an optimisation; the method's own default if not given.
    chains : int, optional
        4 for Markov chains, 1 for the others.
    cores : int, optional
        Threads; as many as there are chains and usable CPUs if not given. Never changes the draws.
    random_seed : int, SeedSequence or Generator, optional
    initvals : mapping of site name to value, optional
        Where all chains start.
    progressbar : bool, "text" or callable, default True
    dtype : dtype, default float64
    **options
        The method's own: ``target_accept``, ``max_treedepth`` (nuts), ``path_length`` (hmc),
        ``rate``,
        ``batch_size`` (mc_dropout), ``samples``, ``learning_rate`` (advi).

    Returns
    -------
    Posterior

    Raises
    ------
    ArgumentError
        For an unknown argument or one out of range.
    ModelError, TraceError
        For a model or data that are wrong; before anything is sampled.
    SampleError
        If no finite start is found.
    """
    fitted = inference.fit(
        model,
        data,
        method=method,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=cores,
        random_seed=random_seed,
        initvals=initvals,
        progressbar=progressbar,
        dtype=dtype,
        options=options,
    )
    sites = fitted.density.sites
    return Posterior(
        fitted.draws,
        fitted.density.model,
        tuple(sites.latent),
        {name: site.dims for name, site in sites.items()},
        sites.coords,
        dict(sites.data),
        data,
        _constant(fitted.density),
    )


def load(path: Any, model: Any = None) -> Posterior:
    """Bring a saved posterior back.

    Parameters
    ----------
    path : str or path
    model : Model or callable, optional
        For predictions; found by the name it was saved under if not given.

    Raises
    ------
    ArgumentError
        If there is no such file.
    """
    tree = storage.load_tree(path)
    attrs = dict(tree.attrs)
    found = model if model is not None else storage.find_model(str(attrs.get("model", "")))
    draws = Draws(_arrays(tree, "posterior"), _arrays(tree, "sample_stats"), attrs)
    return Posterior(
        draws,
        as_model(found) if found is not None else None,
        tuple(json.loads(attrs["latent_sites"])),
        json.loads(attrs["site_dims"]),
        storage.labels(tree),
        _arrays(tree, "observed_data"),
        constant=_arrays(tree, "constant_data"),
    )


def _constant(density: Density) -> Arrays:
    """The data that are not the values of observed sites."""
    observed = list(density.sites.data.values())
    pairs = zip(density.arguments.labels, density.data, strict=True)
    return {n: d for n, d in pairs if not any(np.array_equal(d, o) for o in observed)}


def _arrays(tree: Any, group: str) -> Arrays:
    if group not in tree.children:
        return {}
    return {str(name): np.asarray(v.values) for name, v in tree[group].data_vars.items()}

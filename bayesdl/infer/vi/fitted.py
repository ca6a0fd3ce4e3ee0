"""A guide of the user's own once it is fitted: what its networks say of rows they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError, SiteError
from bayesdl._base.source import user_source
from bayesdl.model import Model, as_model
from bayesdl.model.arguments import read_arguments
from bayesdl.model.density import Density
from bayesdl.model.handlers import Handler
from bayesdl.model.sites import sites_of
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.pipeline import jit
from bayesdl.transform.derived import vmap

from .guides import ModelGuide
from .guides.model import parameters_of
from .objectives import Renyi
from .settings import read_settings
from .terms import log_weights, plate_of_rows

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class FittedGuide:
    """A guide with its parameters, on any rows: ``posterior.guide``.

    Parameters
    ----------
    guide : ModelGuide
    params : dict of dict of str to array
        Those of the first chain: the guide's own, and points of unknowns that it leaves out.
    model : Model
    dtype : numpy.dtype
    ambient : tuple of Handler
        The handlers that surrounded the model when it was fitted.
    """

    guide: ModelGuide
    params: Mapping[str, Mapping[str, Any]]
    model: Model
    dtype: np.dtype[Any]
    ambient: tuple[Handler, ...] = ()

    def sample(self, *args: Any, draws: int = 1000, random_seed: int = 0, **kwargs: Any) -> Arrays:
        """Draws of the unknowns given data.

        Parameters
        ----------
        *args, **kwargs
            The model's arguments, for any number of rows.
        draws : int
        random_seed : int

        Returns
        -------
        dict of str to array, shape (draws, *shape)
        """
        here = self._on(args, kwargs)

        def many(keys: Any, params: Any, data: Any) -> Any:
            guide = here.given(data)
            return vmap(lambda key, p: guide.run(p, key)[0].values, (0, None))(keys, params)

        return self._numbers(many, here, draws, random_seed)  # type: ignore[no-any-return]

    def bounds(
        self,
        *args: Any,
        objective: Any = "iwae",
        samples: int = 50,
        random_seed: int = 0,
        **kwargs: Any,
    ) -> np.ndarray[Any, Any]:
        """Lower bounds of log p(row), in nats, for each row of data.

        Parameters
        ----------
        *args, **kwargs
            The model's arguments, for any number of rows.
        objective : {"iwae", "elbo"} or Renyi
        samples : int
            Of the guide, for each row.
        random_seed : int

        Returns
        -------
        array, shape (rows,)

        Raises
        ------
        ArgumentError
            If the guide draws unknowns outside of the plate of the observed rows.

        References
        ----------
        Burda, Grosse & Salakhutdinov (2016), Importance weighted autoencoders, section 3
        (arXiv:1509.00519).
        """
        here = self._on(args, kwargs)
        plate = plate_of_rows(here)
        if plate is None:
            raise ArgumentError(
                "the rows of this model have no bounds of their own.",
                facts=[("unknowns of the guide", ", ".join(s.name for s in here.drawn))],
                fix="put all that the guide draws into the plate of the observed site.",
                where=user_source(),
                code="A108",
            )
        bound: Renyi = read_settings({"objective": objective, "guide": here})["objective"]

        def one(key: Any, params: Any, data: Any) -> Any:
            return log_weights(here.given(data), params, key, plate, 1.0, False)[0]

        def all_rows(keys: Any, params: Any, data: Any) -> Any:
            return bound.bound(vmap(one, (0, None, None))(keys, params, data))

        return np.asarray(self._numbers(all_rows, here, samples, random_seed))

    def _numbers(self, function: Any, here: ModelGuide, count: int, seed: int) -> Any:
        keys = random.split(random.key(seed), count)

        def typed(*args: Any) -> Any:
            with bnp.using_dtype(self.dtype):
                return function(*args)

        return jit(typed)(keys, self.params, tuple(here.data))

    def _on(self, args: Any, kwargs: Any) -> ModelGuide:
        arguments = read_arguments(self.model, args, kwargs, self.dtype)
        sites = sites_of(self.model, arguments, self.ambient, self.dtype)
        density = Density(self.model, arguments, sites, self.dtype, self.ambient)
        here = replace(self.guide, batches=None, part=None).fitted_to(density)
        self._refuse_another(here)
        return here

    def _refuse_another(self, here: ModelGuide) -> None:
        """Parameters belong to the guide that was fitted."""
        known = {n: np.shape(v) for n, v in self.params["own"].items()}
        asked = {s.name: s.unconstrained_shape for s in parameters_of(here)}
        if known != asked:
            raise SiteError(
                "the parameters of the guide are not those that were fitted.",
                facts=[("fitted", known), ("guide", asked)],
                fix="pass the guide, and the sizes, of the fit.",
                where=user_source(),
                code="M124",
            )


@dataclass(frozen=True)
class SavedGuide:
    """What a file holds of a guide: parameters, without the function that reads them.

    Parameters
    ----------
    params : dict of dict of str to array
    dtype : numpy.dtype
    """

    params: Mapping[str, Mapping[str, Any]]
    dtype: np.dtype[Any]

    def of(self, guide: Callable[..., Any], model: Any) -> FittedGuide:
        """The guide, from the functions that were fitted."""
        return FittedGuide(ModelGuide(guide), self.params, as_model(model), self.dtype)

"""A guide of the user's own once it is fitted: what its networks say of rows they have not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.model.arguments import read_arguments
from bayesdl.model.density import Density
from bayesdl.model.sites import sites_of
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.pipeline import jit
from bayesdl.transform.derived import vmap

from .guides import ModelGuide
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
    params : container of arrays
        Those of the first chain.
    """

    guide: ModelGuide
    params: Any

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
        dtype = here.both[0].dtype
        keys = random.split(random.key(seed), count)

        def typed(*args: Any) -> Any:
            with bnp.using_dtype(dtype):
                return function(*args)

        return jit(typed)(keys, self.params, tuple(here.data))

    def _on(self, args: Any, kwargs: Any) -> ModelGuide:
        fitted = self.guide.both[0]
        arguments = read_arguments(fitted.model, args, kwargs, fitted.dtype)
        sites = sites_of(fitted.model, arguments, fitted.ambient, fitted.dtype)
        density = Density(fitted.model, arguments, sites, fitted.dtype, fitted.ambient)
        return replace(self.guide.fitted_to(density), batches=None, part=None)

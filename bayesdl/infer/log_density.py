"""log_density(model, *data): the compiled log density of a model on R^dim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.errors import ShapeError
from bayesdl._base.source import user_source
from bayesdl.ir.types import ArrayType
from bayesdl.lower.executable import Executable
from bayesdl.model.density import Density, build_density
from bayesdl.pipeline import compile
from bayesdl.tracing import Traced, trace
from bayesdl.transform.derived import value_and_grad


class LogDensity:
    """The log joint density of a model and its data, with the change of variables, in native code.

    Parameters
    ----------
    density : Density
        What the model's statements say.

    Attributes
    ----------
    dim : int
        Length of a position.
    """

    def __init__(self, density: Density) -> None:
        self.density = density
        self.dim = density.dim
        self._compiled: dict[str, tuple[Executable, Traced]] = {}

    def __repr__(self) -> str:
        names = ", ".join(self.density.sites.latent)
        return f"LogDensity(dim={self.dim}, sites: {names})"

    def __call__(self, position: Any) -> float:
        """Log density in nats at an unconstrained position of shape (dim,)."""
        return float(self._run("value", self.density.function, position)[0])

    def value_and_grad(self, position: Any) -> tuple[float, np.ndarray[Any, Any]]:
        """Log density and its gradient, shape (dim,)."""
        value, gradient = self._run(
            "value_and_grad", value_and_grad(self.density.function), position
        )
        return float(value), gradient

    def constrain(self, position: Any) -> dict[str, np.ndarray[Any, Any]]:
        """Values of the latent and deterministic sites at a position."""
        leaves = self._run("constrain", self.density.constrain, position)
        names = sorted(self._compiled["constrain"][1].tree.keys)
        return dict(zip(names, leaves, strict=True))

    def unconstrain(self, values: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """The position, shape (dim,), at which the latent sites have these values.

        Raises
        ------
        SiteError
            If a latent site has no value.
        """
        return np.asarray(self.density.unconstrain(dict(values), *self.density.data))

    def _run(self, key: str, function: Any, position: Any) -> list[np.ndarray[Any, Any]]:
        position = np.ascontiguousarray(position, dtype=self.density.dtype)
        if position.shape != (self.dim,):
            raise ShapeError(
                "a position of this model has another length.",
                facts=[("given", position.shape), ("needed", (self.dim,))],
                fix="use unconstrain(values) to make a position from site values.",
                where=user_source(),
                code="T101",
            )
        if key not in self._compiled:
            kind = ArrayType((self.dim,), position.dtype)
            traced = trace(function, kind, *self.density.data, name=key)
            self._compiled[key] = (compile(traced.program), traced)
        return self._compiled[key][0](position, *self.density.data)


def log_density(model: Any, *data: Any, dtype: Any = np.float64) -> LogDensity:
    """Compile the log density of a model given data.

    Parameters
    ----------
    model : Model or callable
    *data
        The model's arguments.
    dtype : dtype, default float64

    Returns
    -------
    LogDensity

    Examples
    --------
    >>> import numpy as np
    >>> import bayesdl as bdl
    >>> from bayesdl import dist
    >>> def location(y):
    ...     mu = bdl.sample("mu", dist.Normal(0.0, 1.0))
    ...     bdl.observe("y", dist.Normal(mu, 1.0), y)
    >>> ld = log_density(location, 2.0)
    >>> ld.dim, round(ld(np.zeros(1)), 4), ld.value_and_grad(np.zeros(1))[1].tolist()
    (1, -3.8379, [2.0])
    """
    return LogDensity(build_density(model, data, {}, dtype=dtype))

"""log density on R^dim: the model's statements, with the change of variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesdl._base.errors import SiteError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

from .arguments import Arguments, read_arguments
from .handlers import seed, substitute, trace_sites
from .models import Model, as_model
from .sites import Sites, read_sites
from .statements import Handler, Message


@dataclass(frozen=True)
class Density:
    """What a model and its data say, as ordinary functions over arrays.

    Parameters
    ----------
    model : Model
    sites : Sites
    arguments : Arguments
    dtype : numpy.dtype
        Of positions.
    """

    model: Model
    sites: Sites
    arguments: Arguments
    dtype: np.dtype[Any]

    @property
    def dim(self) -> int:
        """Length of a position."""
        return self.sites.dim

    @property
    def data(self) -> list[np.ndarray[Any, Any]]:
        """The arrays among the model's arguments."""
        return self.arguments.data

    @property
    def minibatched(self) -> bool:
        """Whether the density is an estimate from some of the rows."""
        return self.sites.minibatched

    def function(self, position: Any, *data: Any) -> Any:
        """Log joint density at an unconstrained position, plus log |det| of the transforms, in nats."""
        reader = _FromPosition(self.sites, position)
        record = self._run(data, reader)
        total = reader.log_det
        for message in record.sites.values():
            term = log_density_of(message)
            total = term if total is None else total if term is None else total + term
        return total

    def constrain(self, position: Any, *data: Any) -> dict[str, Any]:
        """Values of latent and deterministic sites."""
        record = self._run(data, _FromPosition(self.sites, position))
        wanted = [s.name for s in self.sites.values() if s.kind != "observed"]
        return {name: record.sites[name].value for name in wanted}

    def unconstrain(self, values: Mapping[str, Any], *data: Any) -> Any:
        """The position at which latent sites have these values."""
        missing = [s.name for s in self.sites.of_kind("latent") if s.name not in values]
        if missing:
            raise SiteError(
                "a position needs a value for every latent site.",
                facts=[("missing", ", ".join(missing))],
                fix="add them to the dict of values.",
                where=user_source(),
                code="M111",
            )
        record = self._run(data or self.data, substitute(values))
        return self._flat(record)

    def prior_position(self, key: Any, *data: Any) -> Any:
        """A draw from the prior, as a position."""
        return self._flat(self._run(data, seed(key)))

    def pointwise(self, values: Mapping[str, Any], *data: Any) -> dict[str, Any]:
        """Log likelihood of each observation, never scaled, given values of the latent sites."""
        record = self._run(data, substitute(values))
        found = {}
        for message in record.sites.values():
            if message.kind == "sample" and message.observed:
                assert message.distribution is not None
                found[message.name] = message.distribution.log_prob(message.value)
        return found

    def _run(self, data: Sequence[Any], source: Handler) -> trace_sites:
        record = trace_sites()
        args, kwargs = self.arguments.rebuild(data)
        with bnp.using_dtype(self.dtype), record, source:
            self.model.function(*args, **kwargs)
        return record

    def _flat(self, record: trace_sites) -> Any:
        parts = []
        for site in self.sites.of_kind("latent"):
            message = record.sites[site.name]
            assert message.distribution is not None
            bijector = message.distribution.support.bijector
            parts.append(bnp.ravel(bijector.inverse(message.value)))
        return bnp.concatenate(parts)


def build_density(
    model: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    dtype: Any = np.float64,
) -> Density:
    """Read a model's sites and check its data.

    Parameters
    ----------
    model : Model or callable
    args, kwargs
        The model's arguments.
    dtype : dtype, default float64
        Of positions and of the arithmetic.
    """
    found = as_model(model)
    arguments = read_arguments(args, kwargs or {}, dtype)
    with bnp.using_dtype(dtype):
        sites = read_sites(found, arguments)
    return Density(found, sites, arguments, np.dtype(dtype))


def log_density_of(message: Message) -> Any:
    """A statement's part of the log density, scaled and masked; None where it has none."""
    if message.kind == "factor":
        return bnp.sum(message.value) * message.scale
    if message.kind != "sample" or message.fixed:
        return None
    assert message.distribution is not None
    # A latent value comes out of its bijector, so it is inside the support by construction.
    formula = (
        message.distribution.log_prob if message.observed else message.distribution.log_prob_inside
    )
    terms = formula(message.value)
    if message.mask is not None:
        terms = bnp.where(message.mask, terms, 0.0)
    total = bnp.sum(terms)
    for plate in message.plates:
        if plate.minibatch is not None:
            total = total * (plate.size / plate.minibatch)
    return (
        total
        if isinstance(message.scale, float) and message.scale == 1.0
        else total * message.scale
    )


class _FromPosition(Handler):
    """Latent sites take their slices of the position, through their bijectors."""

    def __init__(self, sites: Sites, position: Any) -> None:
        self.sites, self.position = sites, position
        self.log_det: Any = None

    def process(self, message: Message) -> None:
        if message.kind != "sample" or message.observed or message.value is not None:
            return
        site = self.sites[message.name]
        assert message.distribution is not None
        raw = bnp.reshape(
            self.position[site.start : site.start + site.size], site.unconstrained_shape
        )
        value, log_det = message.distribution.support.bijector.forward_and_log_det(raw)
        message.value = value
        if log_det is not None:
            term = bnp.sum(log_det)
            self.log_det = term if self.log_det is None else self.log_det + term

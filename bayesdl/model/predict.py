"""Predictions: a model run forward from given latent values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bayesdl._base.errors import ArgumentError
from bayesdl._base.source import user_source
from bayesdl.ops import numpy as bnp

from .arguments import Arguments
from .handlers import seed, substitute, trace_sites
from .models import Model
from .statements import Handler, Message

KINDS = ("y", "mean", "latent")


def predictive(
    model: Model, arguments: Arguments, kind: str = "y"
) -> Callable[..., dict[str, Any]]:
    """A function from one draw of the latent sites to predictions.

    Parameters
    ----------
    model : Model
    arguments : Arguments
        New data; observed values among them are not looked at.
    kind : {"y", "mean", "latent"}
        New observations; the mean of each observed site's distribution; or deterministic sites.

    Returns
    -------
    callable, (values, key, *data) -> dict of site name to array
    """
    if kind not in KINDS:
        raise ArgumentError(
            f"there is no kind of prediction {kind!r}.",
            facts=[("known", ", ".join(KINDS))],
            fix='use kind="y" for new observations.',
            where=user_source(),
            code="A105",
        )

    def predict(values: Mapping[str, Any], key: Any, *data: Any) -> dict[str, Any]:
        record = trace_sites()
        args, kwargs = arguments.rebuild(data)
        with record, seed(key), _Forget(), substitute(values):
            model.function(*args, **kwargs)
        return {
            name: _wanted(message, kind)
            for name, message in record.sites.items()
            if name not in values
            and message.kind == ("deterministic" if kind == "latent" else "sample")
        }

    return predict


def prior_predictive(model: Model, arguments: Arguments) -> Callable[..., dict[str, Any]]:
    """A function from a key to one draw of every site from the prior."""

    def draw(key: Any, *data: Any) -> dict[str, Any]:
        record = trace_sites()
        args, kwargs = arguments.rebuild(data)
        with record, seed(key), _Forget():
            model.function(*args, **kwargs)
        return {
            n: m.value for n, m in record.sites.items() if m.kind in ("sample", "deterministic")
        }

    return draw


def observed_values(model: Model, arguments: Arguments) -> dict[str, Any]:
    """The data of observed sites, as the model's statements see them."""
    record = trace_sites()
    args, kwargs = arguments.rebuild(arguments.data)
    with record, seed(0):
        model.function(*args, **kwargs)
    return {n: m.value for n, m in record.sites.items() if m.kind == "sample" and m.observed}


class _Forget(Handler):
    """Data are forgotten, so that observed sites are drawn anew."""

    def process(self, message: Message) -> None:
        if message.kind == "sample" and message.observed:
            message.value, message.observed = None, False


def _wanted(message: Message, kind: str) -> Any:
    if kind != "mean":
        return message.value
    assert message.distribution is not None
    shape = (*message.distribution.batch_shape, *message.distribution.event_shape)
    return bnp.broadcast_to(bnp.asarray(message.distribution.mean), shape)

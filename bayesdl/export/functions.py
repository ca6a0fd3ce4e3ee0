"""What can be asked of a model with draws at hand: from its source, or from what a file keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import SiteError
from bayesdl._base.source import user_source
from bayesdl.model import Model
from bayesdl.model.arguments import frames
from bayesdl.model.handlers import Handler
from bayesdl.model.laws import Laws
from bayesdl.model.predict import LogLikelihood, Simulator, log_likelihood, predictive

Array = np.ndarray[Any, Any]
KINDS = ("y", "mean", "parts", "log_likelihood")


@dataclass(frozen=True)
class Prepared:
    """A function of one draw, and the data to call it with.

    Parameters
    ----------
    function : callable, (draw, *data) -> dict of str to Array
        A draw is (values, key) where something is drawn, and values alone for log likelihoods.
    data : tuple of arrays
    dtype : numpy.dtype
    key : tuple
        Equal for functions that are the same, so that one is compiled once.
    """

    function: Callable[..., dict[str, Any]]
    data: Sequence[Array]
    dtype: np.dtype[Any]
    key: Any


class Functions(Protocol):
    """What `ModelFunctions` and `StoredFunctions` are."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    def prepare(self, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Prepared:
        """The function of one of `KINDS` for a model's arguments; the fitted ones if none given."""
        ...

    def observed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Array]:
        """Values of the observed sites for a model's arguments; the fitted ones if none given."""
        ...


@dataclass(frozen=True)
class ModelFunctions:
    """What a model's source gives.

    Parameters
    ----------
    model : Model
    dtype : numpy.dtype
        In which the model was fitted.
    fitted : tuple of (tuple, dict)
        The arguments of the fit, which stand in where none are given.
    ambient : tuple of Handler
        The handlers that surrounded the fit. Those that surround a prediction are added.
    """

    model: Model
    dtype: np.dtype[Any]
    fitted: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    ambient: tuple[Handler, ...] = ()

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    def prepare(self, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Prepared:
        """The function of one of `KINDS` for a model's arguments; the fitted ones if none given."""
        args, kwargs = (args, kwargs) if args or kwargs else self.fitted
        found = self.simulator(kind, args, kwargs)
        if isinstance(found, Simulator):
            function = one_prediction(found)
        else:
            function = one_log_likelihood(found)
        given = tuple(frames(self.model, found.arguments).items())
        key = kind, given, tuple(map(id, found.ambient))
        return Prepared(function, found.data, self.dtype, key)

    def observed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Array]:
        """Values of the observed sites for a model's arguments; the fitted ones if none given."""
        args, kwargs = (args, kwargs) if args or kwargs else self.fitted
        return dict(self._log_likelihood(args, kwargs).observed)

    def simulator(
        self, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Simulator | LogLikelihood:
        """What `prepare` makes a function of."""
        found: Simulator | LogLikelihood
        if kind in ("y", "mean", "parts"):
            word = "draw" if kind == "y" else kind
            found = predictive(self.model, args, kwargs, kind=word, dtype=self.dtype)
        else:
            found = self._log_likelihood(args, kwargs)
        now = (h for h in found.ambient if not any(h is known for known in self.ambient))
        return replace(found, ambient=(*self.ambient, *now))

    def _log_likelihood(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> LogLikelihood:
        return log_likelihood(self.model, args, kwargs, dtype=self.dtype, ambient=self.ambient)


@dataclass(frozen=True)
class LawFunctions:
    """What the parameters of the observed sites give, for the fitted data.

    Parameters
    ----------
    name : str
        The model's name.
    laws : Laws
    """

    name: str
    laws: Laws

    @property
    def dtype(self) -> np.dtype[Any]:
        """In which the model was fitted."""
        return self.laws.density.dtype

    def prepare(self, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Prepared:
        """The function of one of `KINDS`."""
        laws = self.laws
        function: Callable[..., dict[str, Any]] = laws.log_likelihood
        if kind != "log_likelihood":
            function = lambda draw: laws.predict(draw[0], draw[1], kind)  # noqa: E731
        return Prepared(function, (), self.dtype, (kind,))


@dataclass(frozen=True)
class FittedOnly:
    """Functions that serve the fitted data, and refuse others.

    Parameters
    ----------
    functions : LawFunctions or StoredFunctions
    fitted : dict of str to array
        Values of the observed sites.
    """

    functions: Any
    fitted: dict[str, Array]

    @property
    def name(self) -> str:
        """The model's name."""
        name: str = self.functions.name
        return name

    def prepare(self, kind: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Prepared:
        """The function of one of `KINDS`.

        Raises
        ------
        SiteError
            If there are arguments.
        """
        _refuse_arguments(args, kwargs)
        prepared: Prepared = self.functions.prepare(kind, (), {})
        return prepared

    def observed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Array]:
        """Values of the observed sites; as `prepare`."""
        _refuse_arguments(args, kwargs)
        return self.fitted


def _refuse_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    if args or kwargs:
        raise SiteError(
            "what was kept of the draws predicts the fitted data alone.",
            facts=[("kept", 'keep="predictive"')],
            fix='leave the arguments out, or fit with keep="all".',
            where=user_source(),
            code="M117",
        )


def one_prediction(forward: Simulator) -> Callable[..., dict[str, Any]]:
    """A simulator as a function of (values, key) and data."""
    return lambda draw, *data: forward(draw[0], draw[1], *data)


def one_log_likelihood(judge: LogLikelihood) -> Callable[..., dict[str, Any]]:
    """A judge as a function of values and data."""
    return lambda values, *data: judge(values, *data)

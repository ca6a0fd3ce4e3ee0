"""Distribution, the abstract class: it checks, broadcasts and casts; a subclass is its formulas."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np

from bayesdl import constraints
from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import ClosedFormError, ShapeError
from bayesdl._base.registry import Registry
from bayesdl._base.source import user_source
from bayesdl.constraints import Constraint
from bayesdl.ir.builder import Handle
from bayesdl.ops import numpy as bnp

from . import _check

DISTRIBUTIONS: Registry[type[Distribution]] = Registry("distribution", __package__)
T = TypeVar("T")
Shape = tuple[int, ...]
_MISSING = dataclasses.MISSING


def parameter(constraint: Constraint, *, default: Any = _MISSING) -> Any:
    """Declare a parameter: where it must lie, and so how many of its axes are one value."""
    return dataclasses.field(default=default, metadata={"constraint": constraint})


class Distribution(ABC):
    """A probability distribution, or a batch of independent ones.

    A distribution object is an immutable record of parameters: Python numbers, NumPy arrays or
    arrays in flight. They are broadcast against each other when a formula needs it, not before.
    Numbers that are known are checked at once.

    A subclass declares its parameters and its support, and writes `_log_prob`, `_draw` and what
    else has a closed form, over arrays that broadcast: parameters then have the dtype of the value.

    Attributes
    ----------
    support : Constraint
        Where one event lies; it may depend on the parameters.
    is_proper : bool
        Whether the density integrates to 1.
    choice_of : tuple of str
        Parameters of which exactly one is given.
    reference : str or None
        The SciPy twin as an expression of the parameters; the laws evaluate it.
    examples : tuple of tuples or dicts
        Parameters that the laws try.

    References
    ----------
    Dillon et al. (2017), TensorFlow Distributions, section 3 (arXiv:1711.10604): the shape words.
    """

    is_proper: ClassVar[bool] = True
    choice_of: ClassVar[tuple[str, ...]] = ()
    reference: ClassVar[str | None] = None
    examples: ClassVar[tuple[Any, ...]] = ()

    def __post_init__(self) -> None:
        own = self._constraints()
        for name, value in self.parameters.items():
            if name in own and not isinstance(
                value, Handle | int | float | np.ndarray | np.generic
            ):
                object.__setattr__(self, name, bnp.asarray(value))
        _check.one_given(self)
        for name, constraint in own.items():
            if name in self.parameters:
                _check.in_range(self, name, self.parameters[name], constraint)
        self._check()
        object.__setattr__(self, "_batch_shape", self._common_shape())

    # --- what it is ---------------------------------------------------------------------------

    @property
    @abstractmethod
    def support(self) -> Constraint:
        """Where one event lies."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that were given, by name."""
        given = {name: getattr(self, name) for name in self._constraints()}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def batch_shape(self) -> Shape:
        """Shape of the batch: how many distributions these are."""
        shape: Shape = getattr(self, "_batch_shape")  # noqa: B009  (set behind the frozen record)
        return shape

    @property
    def event_shape(self) -> Shape:
        """Shape of one draw of one distribution."""
        return ()

    @property
    def is_discrete(self) -> bool:
        """Whether values are countable, so that gradients with respect to them have no meaning."""
        return self.support.is_discrete

    @property
    def _dtype(self) -> np.dtype[Any]:
        """Dtype of the float parameters; the default one if all are Python numbers or integers."""
        strong = self._strong_dtype()
        return bnp.default_dtype() if strong is None else strong

    # --- what one asks of it ------------------------------------------------------------------

    def log_prob(self, value: Any) -> Any:
        """Normalised log density, or log mass, of values; −inf outside the support.

        Parameters
        ----------
        value : Array, shape (..., *event_shape)
            Batch axes broadcast against `batch_shape`. Integers may come as floats.

        Returns
        -------
        Array
            Of the broadcast batch shape and the dtype of the parameters.
        """
        own, x = self._ready(value)
        if own._masks_itself():
            return own._spread(own._quiet(own._log_prob, x), x)
        inside = own.support.contains(x)
        ndim = len(own.event_shape)
        if ndim == 0:
            x_safe = bnp.where(inside, x, bnp.asarray(own.support.interior, x.dtype))
            # NaN stays NaN; every other value outside becomes −inf.
            outside = bnp.subtract(-np.inf, bnp.abs(x))
        else:
            x_safe, outside = x, -np.inf
        found = bnp.where(inside, own._quiet(own._log_prob, x_safe), outside)
        return own._spread(found, x)

    def log_prob_inside(self, value: Any) -> Any:
        """As `log_prob`, for values known to lie in the support: without the test."""
        own, x = self._ready(value)
        return own._spread(own._quiet(own._log_prob, x), x)

    def sample(self, key: Any, sample_shape: int | Shape = ()) -> Any:
        """Independent draws.

        Parameters
        ----------
        key : Array, shape (2,)
            From `bayesdl.random.key` or `split`; use it once.
        sample_shape : tuple of int
            How many draws of the whole batch.

        Returns
        -------
        Array, shape (*sample_shape, *batch_shape, *event_shape)
            Of integers where the distribution is discrete.
        """
        lead = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        own = self._in(self._dtype)
        return own._quiet(own._draw, key, (*lead, *self.batch_shape))

    def cdf(self, value: Any) -> Any:
        """P(X ≤ value), for distributions of one number."""
        own, x = self._ready(value)
        found = own._quiet(own._cdf, x)
        return own._spread(found, x)

    def icdf(self, probability: Any) -> Any:
        """The smallest x with P(X ≤ x) ≥ probability; NaN where that is not between 0 and 1."""
        own, p = self._ready(probability)
        valid = bnp.logical_and(bnp.greater_equal(p, 0.0), bnp.less_equal(p, 1.0))
        return own._spread(bnp.where(valid, own._quiet(own._icdf, p), np.nan), p)

    def entropy(self) -> Any:
        """−E log p(X), in nats, of shape `batch_shape`."""
        own = self._in(self._dtype)
        return bnp.broadcast_to(bnp.asarray(own._quiet(own._entropy), own._dtype), self.batch_shape)

    @property
    def mean(self) -> Any:
        """E X, of shape (*batch_shape, *event_shape); NaN or infinite where it does not exist."""
        own = self._in(self._dtype)
        shape = (*self.batch_shape, *self.event_shape)
        return bnp.broadcast_to(bnp.asarray(own._quiet(own._mean), own._dtype), shape)

    @property
    def variance(self) -> Any:
        """E (X − E X)², element by element, of shape (*batch_shape, *event_shape)."""
        own = self._in(self._dtype)
        shape = (*self.batch_shape, *self.event_shape)
        return bnp.broadcast_to(bnp.asarray(own._quiet(own._variance), own._dtype), shape)

    def expand(self, batch_shape: int | Shape) -> Any:
        """The same distribution with a larger batch of copies; parameters are not repeated."""
        wanted = (batch_shape,) if isinstance(batch_shape, int) else tuple(batch_shape)
        if not _fits(self.batch_shape, wanted):
            raise ShapeError(
                f"{type(self).__name__} cannot be expanded to that batch shape.",
                facts=[("batch_shape", self.batch_shape), ("wanted", wanted)],
                fix="give a shape that the batch shape broadcasts to.",
                where=user_source(),
                code="D105",
            )
        larger = copy.copy(self)
        object.__setattr__(larger, "_batch_shape", wanted)
        return larger

    def to_event(self, ndim: int | None = None) -> Distribution:
        """Make the last batch axes part of one event: their log probabilities are summed.

        Parameters
        ----------
        ndim : int, optional
            How many; all by default.
        """
        count = len(self.batch_shape) if ndim is None else ndim
        if count == 0:
            return self
        # By name: Independent is itself a Distribution, in a module above this one.
        joined: Distribution = DISTRIBUTIONS["Independent"](self, count)  # type: ignore[call-arg]
        return joined

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={_check.printed(value)}" for name, value in self._fields().items()
        )
        return f"{type(self).__name__}({shown})"

    # --- what a subclass writes ---------------------------------------------------------------

    @abstractmethod
    def _log_prob(self, x: Any) -> Any:
        """The formula, for x inside the support."""

    @abstractmethod
    def _draw(self, key: Any, shape: Shape) -> Any:
        """Draws of shape (*shape, *event_shape), where shape ends with the batch shape."""

    def _cdf(self, x: Any) -> Any:
        raise self._no_formula("cdf")

    def _icdf(self, p: Any) -> Any:
        raise self._no_formula("icdf")

    def _entropy(self) -> Any:
        raise self._no_formula("entropy")

    def _mean(self) -> Any:
        raise self._no_formula("mean")

    def _variance(self) -> Any:
        raise self._no_formula("variance")

    def _check(self) -> None:  # noqa: B027  (most have nothing to refuse)
        """Refuse parameters that do not fit together."""

    def _masks_itself(self) -> bool:
        """Whether `_log_prob` may be asked about any value."""
        return self.support in (constraints.real, constraints.real_vector)

    # --- how it is done -----------------------------------------------------------------------

    @classmethod
    @cache
    def _constraints(cls) -> Mapping[str, Constraint]:
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        found = {f.name: f.metadata["constraint"] for f in fields if "constraint" in f.metadata}
        return MappingProxyType(found)

    def _fields(self) -> dict[str, Any]:
        names = (f.name for f in dataclasses.fields(self))  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _strong_dtype(self) -> np.dtype[Any] | None:
        arrays = [
            bnp.asarray(p) for p in self.parameters.values() if type(p) not in (int, float, bool)
        ]
        floats = [a.dtype for a in arrays if a.dtype.kind == "f"]
        return np.result_type(*floats) if floats else None

    def _ready(self, value: Any) -> tuple[Any, Any]:
        """Distribution and value in one float dtype: that of the parameters, else of the value."""
        x = bnp.asarray(value)
        dtype = self._strong_dtype()
        if dtype is None:
            plain = type(value) in (int, float, bool) or x.dtype.kind != "f"
            dtype = bnp.default_dtype() if plain else x.dtype
        return self._in(dtype), bnp.asarray(x, dtype)

    def _in(self, dtype: np.dtype[Any]) -> Any:
        """The same distribution with all parameters in a dtype."""
        cast = copy.copy(self)
        for name, value in self.parameters.items():
            object.__setattr__(cast, name, bnp.asarray(value, dtype))
        return cast

    def _common_shape(self) -> Shape:
        """Batch shape from the parameters."""
        found = self._constraints()
        shapes = {n: _lead(np.shape(p), found[n].event_ndim) for n, p in self.parameters.items()}
        try:
            return bnp.broadcast_shape(*shapes.values())
        except ShapeError as error:
            raise ShapeError(
                f"the parameters of {type(self).__name__} do not fit together.",
                facts=list(shapes.items()),
                note=error.note,
                fix="index the shorter one by group, as in mu[group].",
                where=user_source(),
                code="D105",
            ) from None

    def _spread(self, found: Any, x: Any) -> Any:
        """A result repeated to the batch shape that value and distribution have together."""
        batch = _lead(np.shape(x), len(self.event_shape))
        return bnp.broadcast_to(found, bnp.broadcast_shape(self.batch_shape, batch))

    def _quiet(self, formula: Callable[..., Any], *args: Any) -> Any:
        # Infinities and NaN are results here; NumPy's warnings about them would be noise.
        with np.errstate(all="ignore"):
            return formula(*args)

    def _no_formula(self, what: str) -> ClosedFormError:
        return ClosedFormError(
            f"{type(self).__name__} has no {what} in closed form.",
            fix="estimate it from draws: d.sample(key, (10_000,)).",
            where=user_source(),
            code="D102",
        )


@dataclass_transform(frozen_default=True, field_specifiers=(parameter, dataclasses.field))
def distribution(cls: type[T]) -> type[T]:
    """Make a class a frozen record and enter it in the registry."""
    record = dataclass(frozen=True, eq=False, repr=False)(cls)
    DISTRIBUTIONS.add(cls.__name__, record)  # type: ignore[arg-type]
    return record


def _fits(shape: Shape, wanted: Shape) -> bool:
    """Whether a shape broadcasts to another."""
    pairs = zip(reversed(shape), reversed(wanted), strict=False)
    return len(shape) <= len(wanted) and all(n in (1, m) for n, m in pairs)


def _lead(shape: Shape, ndim: int) -> Shape:
    return shape[: len(shape) - ndim]

"""The statements that a model is written with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl._base.errors import ArgumentError, SiteError
from bayesdl._base.source import user_source
from bayesdl.constraints import Constraint, real
from bayesdl.dist import Distribution, ImproperUniform
from bayesdl.ir.builder import Handle
from bayesdl.ops import numpy as bnp

from ._checks import check_indices
from ._stack import Handler, send
from ._statement import PlateFrame, Shape, Statement


def sample(
    name: str,
    distribution: Distribution,
    obs: Any = None,
    *,
    dims: tuple[str, ...] | None = None,
    sample_shape: int | Shape = (),
    role: str | None = None,
    layer: str | None = None,
) -> Any:
    """A random quantity with a name.

    Parameters
    ----------
    name : str
        Unique in the model.
    distribution : Distribution
        Its batch axes that no plate claims are independent copies.
    obs : Array, shape (*batch_shape, *event_shape), optional
        Data: the site is observed. A single number stands for all elements.
    dims : tuple of str, optional
        Names of the axes of one value, for labelled results; plates name theirs by themselves.
    sample_shape : tuple of int, optional
        Independent copies, as further batch axes in front.
    role : {"weight", "bias", "scale", "table"}, optional
        What methods for networks treat the site as.
    layer : str, optional
        The layer it belongs to.

    Returns
    -------
    Array, shape (*batch_shape, *event_shape)
        The data, or a draw, or what a handler or a method puts here.

    Raises
    ------
    ShapeError
        If distribution, plates and data do not fit together: data never enlarge a distribution.
    DtypeError
        If the data are not numbers.
    SiteError
        If there is nothing to draw a value with.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> with bdl.seed(0):
    ...     x = bdl.sample("x", bdl.dist.Normal(0.0, 1.0).expand((3,)))
    >>> x.shape
    (3,)
    """
    source, name = user_source(), _named(name)
    if not isinstance(distribution, Distribution):
        raise SiteError(
            f'site "{name}" needs a distribution.',
            facts=[("given", f"{type(distribution).__name__} {distribution!r}"[:60])],
            fix=f'sample("{name}", dist.Normal(0.0, 1.0)); deterministic() is for computed values.',
            where=source,
            code="M110",
        )
    copies = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
    statement = Statement(
        "sample",
        name,
        source,
        distribution=distribution,
        value=obs,
        observed=obs is not None,
        dims=_dims(dims),
        sample_shape=copies,
        role=role,
        layer=layer,
    )
    return send(statement).value


def observe(
    name: str, distribution: Distribution, value: Any, *, dims: tuple[str, ...] | None = None
) -> Any:
    """A random quantity whose value is data; the same as ``sample(name, distribution, obs=value)``.

    Parameters
    ----------
    name : str
    distribution : Distribution
    value : Array, shape (*batch_shape, *event_shape)
        None makes the site a latent one, as when a model predicts.
    dims : tuple of str, optional

    Returns
    -------
    Array
        The value.
    """
    return sample(name, distribution, obs=value, dims=dims)


def param(
    name: str,
    shape: int | Shape = (),
    *,
    support: Constraint = real,
    start: Any = None,
    dims: tuple[str, ...] | None = None,
    role: str | None = None,
    layer: str | None = None,
) -> Any:
    """A parameter: an unknown without a prior, which methods that optimise fit to a point.

    Parameters
    ----------
    name : str
        Unique in the model.
    shape : int or tuple of int, default ()
        Of one value; plates put their axes in front.
    support : Constraint, default real
        Where its values lie.
    start : float or Array, optional
        Where methods start it; near zero on the unconstrained space if not given.
    dims : tuple of str, optional
        Names of the axes of one value.
    role, layer : str, optional
        As for `sample`.

    Returns
    -------
    Array, shape (*shape of the plates, *shape)

    Raises
    ------
    SiteError
        If there is no value: nothing to draw one from.

    Notes
    -----
    Its log density is 0, change of variables included, so where it lands does not depend on the
    coordinates. Markov chains refuse it: without a prior it has no posterior.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> def coin(heads):
    ...     bias = bdl.param("bias", support=bdl.constraints.unit_interval)
    ...     bdl.sample("heads", bdl.dist.Binomial(10, bias), obs=heads)
    >>> post = bdl.fit(coin, 3, method="vi", guide="map", init="map", tune=0, progressbar=False)
    >>> round(float(post["bias"].mean()), 3)
    0.3
    """
    source, name = user_source(), _named(name)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    statement = Statement(
        "sample",
        name,
        source,
        distribution=_nothing(support, shape),
        dims=_dims(dims),
        role=role,
        layer=layer,
        point=True,
        start=start,
    )
    return send(statement).value


def _nothing(support: Constraint, shape: Shape) -> Distribution:
    """The constant density on values of a shape, as one event."""
    one = ImproperUniform(support, shape[len(shape) - support.event_ndim :])
    copies = shape[: len(shape) - support.event_ndim]
    return one.expand(copies).to_event(len(copies)) if copies else one


def deterministic(name: str, value: Any, *, dims: tuple[str, ...] | None = None) -> Any:
    """Give a computed quantity a name, so that it is kept with the draws.

    Parameters
    ----------
    name : str
    value : Array
    dims : tuple of str, optional
        Names of its axes.

    Returns
    -------
    Array
        The value.
    """
    return send(
        Statement("deterministic", _named(name), user_source(), value=value, dims=_dims(dims))
    ).value


def factor(name: str, log_weight: Any) -> None:
    """Add a term to the log joint density.

    Parameters
    ----------
    name : str
    log_weight : Array
        In nats; all its elements are summed, once, whatever the plates around it.
    """
    send(Statement("factor", _named(name), user_source(), value=log_weight))


def units(name: str, x: Any) -> Any:
    """Say that an array holds the units that enter a layer; a handler may change it.

    Parameters
    ----------
    name : str
        Name of the layer.
    x : Array, shape (rows, fan_in)

    Returns
    -------
    Array
        The same shape.
    """
    return send(Statement("units", _named(name), user_source(), value=x)).value


def drop_next(rate: float) -> None:
    """Say that the units which enter the next layer are dropped at a rate of their own.

    Parameters
    ----------
    rate : float
    """
    send(Statement("units", "dropout", user_source(), rate=rate))


def indices(name: str, x: Any, size: int) -> Any:
    """Say that whole numbers choose among categories, 0 to size − 1; data that do not are refused.

    Parameters
    ----------
    name : str
        Name of the layer.
    x : Array of int
    size : int
        Number of categories.

    Returns
    -------
    Array
        The same.

    Raises
    ------
    SupportError
        If one of them is known, here or once the model's data are, and is none of these.
    """
    said = Statement("units", _named(name), user_source(), entering=x, size=size)
    if not isinstance(x, Handle):
        check_indices(said, np.asarray(x))
    send(said)
    return x


def weighted(
    name: str, x: Any, w: Any, product: Callable[[Any, Any], Any] = bnp.matmul, once: bool = True
) -> Any:
    """The sums of a layer, linear in its units x and in its weights w; a handler may add to them.

    Parameters
    ----------
    name : str
        Name of the layer.
    x : Array, shape (rows, …, fan_in)
    w : Array
        Weights that enter nothing else.
    product : callable, (x, w) -> Array of shape (rows, …, fan_out)
    once : bool, default True
        Whether each weight enters a row's sums once, as in a linear layer; in a convolution it
        does so at many places.

    Returns
    -------
    Array, shape (rows, …, fan_out)
    """
    said = Statement("units", _named(name), user_source(), product=product, entering=x, once=once)
    noise = send(said).noise
    y = product(x, w)
    return y if noise is None else y + noise


class plate(Handler):
    """Independent repetition: a batch axis of known size for each statement inside.

    Nested plates take the last batch axes in order, the outer plate first: a site inside
    ``plate("groups", 3)`` and then ``plate("rows", 5)`` has batch shape (3, 5), one inside the
    outer plate alone (3,). Index the latter as ``mu[:, None]`` where the two meet.

    Parameters
    ----------
    name : str
        Becomes the name of the axis in results.
    size : int
        How many there are in all, N.
    dim : int, optional
        The batch axis to claim, counted from the right, −1 for the last; worked out if not given.
    minibatch : int, optional
        How many of them are here, m. The log density of sites inside is multiplied by N / m, so
        that its mean over random minibatches is that of all data. Pointwise log likelihoods are not
        multiplied.

    Raises
    ------
    ArgumentError
        If a size is not a positive whole number, or dim is not negative.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> with bdl.seed(0), bdl.plate("groups", 3), bdl.plate("rows", 5):
    ...     x = bdl.sample("x", bdl.dist.Normal(0.0, 1.0))
    >>> x.shape
    (3, 5)
    """

    def __init__(
        self, name: str, size: int, dim: int | None = None, minibatch: int | None = None
    ) -> None:
        size = _size(name, "size", size)
        length = size if minibatch is None else _size(name, "minibatch", minibatch)
        if length > size or (dim is not None and dim >= 0):
            raise ArgumentError(
                f'plate "{name}" got arguments that do not fit together.',
                facts=[("size", size), ("minibatch", minibatch), ("dim", dim)],
                fix="minibatch is at most size; dim is negative, -1 for the last axis.",
                where=user_source(),
                code="M113",
            )
        self.frame = PlateFrame(_named(name), size, length, dim)
        self.minibatched = minibatch is not None

    @property
    def size(self) -> int:
        """How many there are in all."""
        return self.frame.size

    def before(self, statement: Statement) -> None:
        if statement.kind == "units":
            return
        if any(inner.name == self.frame.name for inner in statement.plates):
            raise SiteError(
                f'plate "{self.frame.name}" stands inside itself.',
                fix="give the two plates different names.",
                where=statement.source,
                code="M121",
            )
        statement.plates.insert(0, self.frame)
        if self.minibatched and statement.kind != "deterministic":
            weight = self.frame.size / self.frame.length
            statement.scale = weight if statement.scale is None else statement.scale * weight


class scope(Handler):
    """Prefix the names of the sites inside: ``name.site``.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self.name = _named(name)

    def before(self, statement: Statement) -> None:
        statement.name = f"{self.name}.{statement.name}"


def _named(name: Any) -> str:
    if isinstance(name, str) and name:
        return name
    raise SiteError(
        "a site needs a name.",
        facts=[("given", repr(name)[:60])],
        fix='write sample("weight", dist.Normal(0.0, 1.0)).',
        where=user_source(),
        code="M112",
    )


def _dims(dims: Any) -> tuple[str, ...] | None:
    return (dims,) if isinstance(dims, str) else None if dims is None else tuple(dims)


def _size(plate: str, what: str, given: Any) -> int:
    try:
        size = operator.index(given)
    except TypeError:
        size = -1
    if size > 0:
        return size
    raise ArgumentError(
        f'plate "{plate}" needs a whole number above 0 as its {what}.',
        facts=[(what, repr(given)[:60])],
        fix=f'plate("{plate}", x.shape[0])',
        where=user_source(),
        code="M113",
    )

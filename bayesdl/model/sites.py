"""Sites: what a model contains, read by running it once on types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import SiteError, did_you_mean
from bayesdl._base.source import Source
from bayesdl.constraints import Constraint
from bayesdl.ir.builder import Builder, active_builders
from bayesdl.ir.types import ArrayType
from bayesdl.ops import numpy as bnp
from bayesdl.ops._trace import building
from bayesdl.ops.array import Array

from ._checks import indices_in_range, observed_values
from ._definition import Model, as_model
from ._settle import plate_axes, plate_shape
from ._stack import Handler, running, surroundings
from ._statement import Shape, Statement, enter
from .arguments import Arguments, read_arguments
from .grouping import following, groups_of
from .summed import Group, Summed, summed


@dataclass(frozen=True)
class Site:
    """One named quantity of a model.

    Parameters
    ----------
    name : str
    kind : {"latent", "observed", "deterministic", "summed"}
        A site whose value a handler fixes is deterministic, whether or not it still has a density.
        Discrete unknowns are summed over; what is computed from them has no value either.
    type : ArrayType
        Of the value.
    distribution : str
        As it prints; empty for deterministic ones.
    constraint : Constraint or None
        The support.
    dims : tuple of str or None
        Name of each axis of the value, where it has one.
    plates : tuple of (str, int)
        Names and sizes of the plates around it, the outermost first.
    source : Source or None
        The user's line.
    role, layer : str or None
        What it is in a network.
    unconstrained_shape : tuple of int
        Shape of its part of the position.
    offset : int
        Where that part begins; for latent sites.
    point : bool
        Whether it is a parameter without a prior.
    start : float, Array or None
        Where methods start it.
    """

    name: str
    kind: str
    type: ArrayType
    distribution: str
    constraint: Constraint | None
    dims: tuple[str | None, ...]
    plates: tuple[tuple[str, int], ...]
    source: Source | None
    role: str | None = None
    layer: str | None = None
    unconstrained_shape: Shape = ()
    offset: int = 0
    point: bool = False
    start: Any = None

    @property
    def latent(self) -> bool:
        """Whether it has a part of the position."""
        return self.kind == "latent"

    @property
    def observed(self) -> bool:
        """Whether its value is data."""
        return self.kind == "observed"

    @property
    def deterministic(self) -> bool:
        """Whether its value follows from the others."""
        return self.kind == "deterministic"

    @property
    def drawn(self) -> bool:
        """Whether a position gives it a value."""
        return self.kind in ("latent", "deterministic")

    @property
    def size(self) -> int:
        """Number of elements of its part of the position."""
        return int(np.prod(self.unconstrained_shape, dtype=np.int64)) if self.latent else 0

    @property
    def slice(self) -> slice:
        """Its part of the position."""
        return slice(self.offset, self.offset + self.size)

    def part(self, position: Any) -> Any:
        """Its part of a position of shape (dim,), in its own shape."""
        return bnp.reshape(position[self.slice], self.unconstrained_shape)


@dataclass(frozen=True)
class Sites(Mapping[str, Site]):
    """What a model contains: name → Site, in the order of the statements.

    Parameters
    ----------
    table : dict of str to Site
    factors : tuple of str
        Names of the factor statements.
    coords : dict of str to list
        Labels along named dimensions, the model's own before those found on data.
    data : dict of str to array
        Values of the observed sites that follow from the arguments.
    minibatched : bool
        Whether a plate holds only a part of its rows.
    groups : tuple of Group
        The discrete unknowns that are summed over, those that meet together.
    """

    table: dict[str, Site]
    factors: tuple[str, ...]
    coords: dict[str, list[Any]]
    data: dict[str, np.ndarray[Any, Any]]
    minibatched: bool
    groups: tuple[Group, ...] = ()

    def __getitem__(self, name: str) -> Site:
        try:
            return self.table[name]
        except KeyError:
            raise _no_such_site(name, self.table) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def __contains__(self, name: object) -> bool:
        return name in self.table

    @property
    def latent(self) -> dict[str, Site]:
        """The sites that a position is made of, in its order."""
        return {name: site for name, site in self.table.items() if site.latent}

    @property
    def points(self) -> dict[str, Site]:
        """The latent sites that are parameters without a prior."""
        return {name: site for name, site in self.latent.items() if site.point}

    @property
    def first_values(self) -> dict[str, Any]:
        """Of each discrete unknown that is summed over, one value."""
        return {n: v for group in self.groups for n, v in group.values(0).items()}

    @property
    def dim(self) -> int:
        """Length of a position."""
        return sum(site.size for site in self.table.values())

    def __str__(self) -> str:
        rows = [(s.name, repr(s.type), s.kind, s.distribution) for s in self.table.values()]
        widths = [max((len(r[i]) for r in rows), default=0) for i in range(4)]
        return "\n".join(
            "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows
        )


def read_sites(
    model: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, dtype: Any = np.float64
) -> Sites:
    """Run a model once on types and list what it contains; check the data against it.

    Parameters
    ----------
    model : Model or callable
    args, kwargs
        The model's arguments.
    dtype : dtype, default float64
        Of floats.

    Returns
    -------
    Sites

    Raises
    ------
    SiteError
        If two sites have one name, or a discrete latent site cannot be summed over.
    ShapeError, DtypeError
        If data do not have the shape of their distribution, or are not numbers.
    SupportError
        If data lie outside the support of their distribution.
    ArgumentError
        If data are missing.
    ConcreteError
        If the model's Python needs a number that only a run has.

    Examples
    --------
    >>> import bayesdl as bdl
    >>> def coin(heads):
    ...     bias = bdl.sample("bias", bdl.dist.Beta(1.0, 1.0))
    ...     bdl.sample("heads", bdl.dist.Bernoulli(bias), obs=heads)
    >>> print(read_sites(coin, (1,)))
    bias   f64[]  latent    Beta(concentration1=1.0, concentration0=1.0)
    heads  i64[]  observed  Bernoulli(probs=Array(f64[]))
    """
    known = as_model(model)
    return sites_of(known, read_arguments(known, args, kwargs, dtype), surroundings(), dtype)


def sites_of(model: Model, arguments: Arguments, ambient: tuple[Handler, ...], dtype: Any) -> Sites:
    """As `read_sites`, for arguments that have come through the door."""
    builder = Builder(Array)
    reader = _Reader()
    with building(builder), bnp.using_dtype(dtype):
        inputs = [builder.input(t) for t in arguments.types]
        with running([reader], ambient):
            arguments.call(model, inputs)
        observed = [s for s in reader.statements.values() if s.kind == "sample" and s.observed]
        data = observed_values(builder, observed, arguments.arrays)
        indices_in_range(builder, reader.indices, arguments.arrays)
        groups = groups_of(reader.summed, reader.statements, builder)
        unknown = {*reader.summed, *following(reader.summed, reader.statements, builder)}
    coords = {**arguments.coords, **model.coords}
    table = _table(reader.statements, unknown)
    _refuse_wrong_names(table)
    _refuse_wrong_labels(table, model.coords)
    statements = reader.statements.values()
    return Sites(
        table,
        tuple(s.name for s in statements if s.kind == "factor"),
        coords,
        data,
        any(plate.length < plate.size for s in statements for plate in s.plates),
        groups,
    )


class _Reader(Handler):
    """Gives each latent site an array in flight, and remembers every statement."""

    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}
        self.summed: dict[str, Summed] = {}
        self.indices: list[Statement] = []

    def before(self, statement: Statement) -> None:
        statement.supply = self.value

    def value(self, statement: Statement) -> Any:
        """An array in flight that lies in the support."""
        law, builder = statement.law, active_builders()[-1]
        shape = (*law.batch_shape, *law.event_shape)
        if law.is_discrete:
            if not statement.placed:
                self.summed[statement.name] = summed(statement)
            return builder.input(ArrayType(shape, np.dtype(np.int64)))
        bijector = law.support.bijector
        shape = bijector.unconstrained_shape(shape)
        return bijector.forward(builder.input(ArrayType(shape, bnp.default_dtype())))

    def after(self, statement: Statement) -> None:
        if statement.kind != "units":
            enter(self.statements, statement)
        elif statement.size is not None:
            self.indices.append(statement)


def _table(statements: dict[str, Statement], unknown: set[str]) -> dict[str, Site]:
    table, offset = {}, 0
    for name, statement in statements.items():
        if statement.kind != "factor":
            table[name] = _site(statement, offset, name in unknown)
            offset += table[name].size
    return table


def _site(statement: Statement, offset: int, unknown: bool) -> Site:
    value, law = bnp.asarray(statement.value), statement.distribution
    kind = "summed" if unknown else "deterministic"
    if law is not None and not statement.given and not unknown:
        kind = "latent"
    elif law is not None and statement.observed:
        kind = "observed"
    support = None if law is None else law.support
    shape: Shape = np.shape(value)
    if kind == "latent" and support is not None and not support.is_discrete:
        shape = support.bijector.unconstrained_shape(shape)
    return Site(
        statement.name,
        kind,
        ArrayType(np.shape(value), value.dtype),
        "" if law is None else statement.summary,
        support,
        axis_names(statement),
        tuple((plate.name, plate.length) for plate in statement.plates),
        statement.source,
        statement.role,
        statement.layer,
        shape,
        offset,
        statement.point,
        statement.start,
    )


def axis_names(statement: Statement) -> tuple[str | None, ...]:
    """A name for each axis of a value: plates name theirs, ``dims`` the others.

    Raises
    ------
    SiteError
        If there are not as many names as axes.
    """
    shape = np.shape(statement.value)
    named = _plate_axes_of_value(statement, shape)
    free = [i for i in range(len(shape)) if i not in named]
    dims = statement.dims
    if dims is not None and len(dims) == len(shape):
        return dims
    if dims is not None and len(dims) != len(free):
        raise SiteError(
            f'site "{statement.name}" has another number of axes than `dims` names.',
            facts=[("value", shape), ("dims", dims), ("plates", tuple(named.values()))],
            fix="name each axis of the value that no plate names.",
            where=statement.source,
            code="M116",
        )
    names = {**named, **dict(zip(free, dims or (), strict=False))}
    return tuple(names.get(i) for i in range(len(shape)))


def _plate_axes_of_value(statement: Statement, shape: Shape) -> dict[int, str]:
    axes = plate_axes(statement)
    if statement.distribution is not None:
        batch = len(statement.distribution.batch_shape)
        return {batch + axis: plate.name for axis, plate in axes.items()}
    # A computed value says nothing of its event axes: it is labelled if it begins with the sizes.
    sizes = plate_shape(axes)
    if not sizes or shape[: len(sizes)] != sizes:
        return {}
    return {len(sizes) + axis: plate.name for axis, plate in axes.items()}


def _refuse_wrong_names(table: dict[str, Site]) -> None:
    """Results are labelled arrays: no site can have the name of an axis, nor of a path."""
    axes = {dim: f'of site "{s.name}"' for s in table.values() for dim in s.dims if dim}
    axes.update({"chain": "of all results", "draw": "of all results"})
    for site in table.values():
        if site.name in axes:
            raise SiteError(
                f'"{site.name}" is the name of a site and of an axis.',
                facts=[("site", site.kind), ("axis", axes[site.name])],
                fix=_name_fix(site),
                where=site.source,
                code="M120",
            )
        if "/" in site.name or not site.name:
            raise SiteError(
                f'"{site.name}" cannot be the name of a site: it would be a path in a file.',
                fix=f'rename it, for example "{site.name.replace("/", ".") or "x"}".',
                where=site.source,
                code="M120",
            )


def _name_fix(site: Site) -> str:
    if site.name in ("chain", "draw"):
        return f'rename the site, for example "{site.name}_effect".'
    if any(site.name == name for name, _ in site.plates):
        return f'rename the plate, for example plate("{site.name}_rows", ...).'
    return f'rename one, for example "{site.name}_id" in dims= and coords=.'


def _refuse_wrong_labels(table: dict[str, Site], coords: Mapping[str, list[Any]]) -> None:
    """A dimension has one size in the whole model, and as many labels."""
    first: dict[str, tuple[str, int]] = {dim: ("coords", len(coords[dim])) for dim in coords}
    for site in table.values():
        names = [dim for dim in site.dims if dim is not None]
        for dim, size in zip(site.dims, site.type.shape, strict=True):
            if dim is None:
                continue
            where, known = first.setdefault(dim, (f'site "{site.name}"', size))
            if known != size or names.count(dim) > 1:
                raise SiteError(
                    f'the dimension "{dim}" does not have one size, or one place.',
                    facts=[(where, known), (f'site "{site.name}"', site.type.shape, site.dims)],
                    fix="rename the plate or dimension, or give it one label for each element.",
                    where=site.source,
                    code="M116",
                )


def _no_such_site(name: str, table: Mapping[str, Any]) -> SiteError:
    guess = did_you_mean(name, table)
    return SiteError(
        f'the model has no site "{name}".',
        facts=[("sites", ", ".join(table) or "none")],
        fix=f'did you mean "{guess}"?' if guess else "use one of its sites.",
        code="M117",
    )

"""Discrete unknowns: the log density is a sum over their values, one for each row of a plate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bayesdl._base.dataclass import dataclass
from bayesdl._base.errors import SiteError
from bayesdl.constraints import Constraint
from bayesdl.constraints.composed import Independent
from bayesdl.constraints.number import Integers
from bayesdl.ir.builder import Handle
from bayesdl.ops import numpy as bnp
from bayesdl.transform.derived import vmap

from ._settle import plate_axes
from ._stack import Handler
from ._statement import Shape, Statement
from .dependence import axes_of, by_plates

LARGEST = 4096
"""So many combinations of values that meet in one statement are the most."""
Values = Mapping[str, Any]
Plates = tuple[str, ...]
Joined = Callable[[Plates, Any, tuple[int, ...]], Any]


def log_sum_of(level: Plates, total: Any, axes: tuple[int, ...]) -> Any:
    """Log-sum over the unknowns of a level."""
    return bnp.logsumexp(total, axes, keepdims=True)


@dataclass(frozen=True)
class Run:
    """A run of a model as a function of its discrete unknowns, and of all arrays it takes.

    Parameters
    ----------
    statements : callable, (values, *args) -> dict of str to Statement
    args : tuple of containers of arrays
    """

    statements: Callable[..., Mapping[str, Statement]]
    args: tuple[Any, ...]


class Placed(Handler):
    """Gives discrete unknowns a place in the position, as whole floats, instead of summing.

    For methods that draw them, as a guide of the user's own does.

    Parameters
    ----------
    names : set of str, optional
        Which; all if not given.
    """

    def __init__(self, names: frozenset[str] | None = None) -> None:
        self.names = names

    def before(self, statement: Statement) -> None:
        if self.names is None or statement.name in self.names:
            statement.placed = True


class Chosen(Handler):
    """Gives discrete unknowns that are summed over one of their values.

    Parameters
    ----------
    values : mapping of str to Array
    """

    def __init__(self, values: Values) -> None:
        self.values = values

    def before(self, statement: Statement) -> None:
        if statement.kind == "sample" and statement.name in self.values and not statement.observed:
            statement.value = self.values[statement.name]


@dataclass(frozen=True)
class Summed:
    """One discrete unknown.

    Parameters
    ----------
    name : str
    plates : tuple of str
        Around it; their rows are summed over each by itself.
    table : array of int64, shape (combinations, *shape)
        All values of one row; axes of plates have size 1.
    shape : tuple of int
        Of the value.
    """

    name: str
    plates: tuple[str, ...]
    table: np.ndarray[Any, Any]
    shape: Shape

    def value(self, index: Any) -> Any:
        """The combination of that number, for all rows."""
        return bnp.broadcast_to(bnp.take(self.table, index, axis=0), self.shape)


@dataclass(frozen=True)
class Group:
    """Discrete unknowns that meet in statements, so that their values are summed over together.

    Parameters
    ----------
    unknowns : tuple of Summed
        Those in the most plates first; the plates of each are among those of the one before.
    members : dict of str to tuple of str
        Statements that depend on them, the unknowns' own included, and the plates of the deepest
        unknown that each depends on.
    label : str
        The statement under whose name the sum is entered: the first observed one if there is one.
    """

    unknowns: tuple[Summed, ...]
    members: dict[str, tuple[str, ...]]
    label: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """Combinations of each unknown."""
        return tuple(len(u.table) for u in self.unknowns)

    def values(self, index: Any) -> dict[str, Any]:
        """Values of the unknowns in one combination of theirs."""
        found, rest = {}, index
        for unknown in reversed(self.unknowns):
            count = len(unknown.table)
            found[unknown.name], rest = unknown.value(rest % count), rest // count
        return found

    def log_sum(self, run: Run, base: Mapping[str, Statement]) -> Any:
        """Log of the sum over all combinations, rows of plates apart from each other.

            log Σ_z Π_rows Σ_w p(z) p(w | z) p(data | w, z)

        Parameters
        ----------
        run : Run
        base : dict of str to Statement
            Those of any one combination, whose scales are taken.
        """
        terms = self._of_statements(run, lambda found: self._by_plates(found, self.members))
        *_, (_, total, _) = self._levels(terms, {n: base[n].scale for n in self.members})
        return bnp.reshape(total, ())

    def each(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """A function of values of the unknowns, and of more arrays, for all combinations at once.

        Parameters
        ----------
        function : callable, (values, *args) -> container of arrays
        args : tuple of containers of arrays

        Returns
        -------
        container of arrays
            Each with an axis of the combinations in front.
        """

        def one(index: Any, args: tuple[Any, ...]) -> Any:
            return function(self.values(index), *args)

        return vmap(one, (0, None))(np.arange(math.prod(self.sizes)), args)

    def mean(self, terms: Mapping[str, Any], log_probs: Mapping[str, Any]) -> Any:
        """The sum of terms under a law of the unknowns, rows of plates apart from each other.

            Σ_z p(z) [f(z) + Σ_rows Σ_w p(w | z) g(z, w)]

        Parameters
        ----------
        terms : dict of str to Array, shape (combinations, *plates)
            Of the members, as `each` gives them.
        log_probs : dict of str to Array, shape (combinations, *plates)
            Of the unknowns, given those in fewer plates.

        Returns
        -------
        Array, shape ()
        """

        def expected(level: Plates, total: Any, axes: tuple[int, ...]) -> Any:
            own = [self._at(level, log_probs[u.name]) for u in self.unknowns if u.plates == level]
            share = bnp.exp(sum(own[1:], own[0]))
            # What cannot be counts nothing, be its terms infinite.
            total = bnp.where(share > 0.0, total, 0.0)
            return bnp.sum(share * total, axes, keepdims=True)

        *_, (_, total, _) = self._levels(terms, {}, expected)
        return bnp.reshape(total, ())

    def pointwise(self, run: Run, base: Mapping[str, Statement]) -> dict[str, Any]:
        """Log likelihood of each observation that depends on them, summed over their values.

        Values of the unknowns are weighed by what the other unknowns say of them, wherever these
        stand, and not by other observations.
        """
        observed = [n for n in self.members if base[n].observed]
        latent = [n for n in self.members if not base[n].observed]

        def terms(found: Mapping[str, Statement]) -> tuple[Any, Any]:
            return self._by_plates(found, latent), {n: found[n].pointwise() for n in observed}

        laws, likelihoods = self._of_statements(run, terms)
        levels = list(self._levels(laws, {}))
        result = {}
        for name, likelihood in likelihoods.items():
            around = {plate.name for plate in axes_of(base[name]).values()}
            # It does not depend on the unknowns of plates inside its own: any values will do.
            kept = tuple(slice(None if around >= set(u.plates) else 1) for u in self.unknowns)
            total = bnp.reshape(likelihood, (*self.sizes, *np.shape(likelihood)[1:]))[kept]
            for level, weight, summed in levels[:-1]:
                if set(level) <= around:
                    # Given the unknowns of the levels above, of which none may be possible at all.
                    share = bnp.where(bnp.isfinite(summed), weight - summed, -np.inf)
                    total = total + self._beside(share, level, base[name])
            result[name] = bnp.logsumexp(total, tuple(range(len(self.sizes))))
        return result

    def _by_plates(self, found: Mapping[str, Statement], names: Iterable[str]) -> dict[str, Any]:
        return {n: by_plates(found[n], found[n].terms(), self.members[n]) for n in names}

    def _levels(
        self, terms: Mapping[str, Any], scales: Mapping[str, Any], joined: Joined = log_sum_of
    ) -> Iterator[tuple[Plates, Any, Any]]:
        """From the deepest plates up: plates, the sum of terms, and its log-sum over the unknowns.

        Axes are those of the unknowns, then those of the plates. What is above them all comes last.
        `joined` says what stands in the place of the log-sum.
        """
        levels = list(dict.fromkeys(u.plates for u in self.unknowns))
        own = [scales.get(self._first(level)) for level in levels]
        total: Any = bnp.zeros((1,) * len(self.sizes))
        for level, scale, after, outer in zip(
            levels, own, [*levels[1:], ()], [*own[1:], None], strict=True
        ):
            here = {n: t for n, t in terms.items() if self.members[n] == level}
            for name, term in here.items():
                total = total + _relative(self._at(level, term), scales.get(name), scale)
            axes = tuple(i for i, u in enumerate(self.unknowns) if u.plates == level)
            summed = joined(level, total, axes)
            yield level, total, summed
            total = _relative(summed, scale, outer)
            gone = [len(self.sizes) + i for i, plate in enumerate(level) if plate not in after]
            total = bnp.sum(total, tuple(gone)) if gone else total
        yield (), total, total

    def _at(self, level: Plates, term: Any) -> Any:
        """Terms at a level, by the unknowns: any values will do for those that are deeper."""
        kept = tuple(slice(0, 1 if len(u.plates) > len(level) else None) for u in self.unknowns)
        return bnp.reshape(term, (*self.sizes, *np.shape(term)[1:]))[kept]

    def _beside(self, value: Any, plates: Plates, other: Statement) -> Any:
        """Rows of plates brought to their places in the terms of a statement."""
        axes = {p.name: a for a, p in axes_of(other).items()}
        first = len(self.sizes)
        order = sorted(range(len(plates)), key=lambda i: axes[plates[i]])
        moved = bnp.transpose(value, (*range(first), *(first + i for i in order)))
        rank, sizes = len(other.law.batch_shape), iter(np.shape(moved)[first:])
        mine = {axes[plate] for plate in plates}
        shape = tuple(next(sizes) if i - rank in mine else 1 for i in range(rank))
        return bnp.reshape(moved, (*np.shape(moved)[:first], *shape))

    def _of_statements(self, run: Run, terms: Callable[[Mapping[str, Statement]], Any]) -> Any:
        return self.each(lambda values, *args: terms(run.statements(values, *args)), run.args)

    def _first(self, plates: tuple[str, ...]) -> str:
        return next(u.name for u in self.unknowns if u.plates == plates)


def summed(statement: Statement) -> Summed:
    """What there is to sum over at a discrete latent statement.

    Raises
    ------
    SiteError
        If it has infinitely many values, or too many.
    """
    values = _values(statement.law.support)
    shape = (*statement.law.batch_shape, *statement.law.event_shape)
    plates = {len(statement.law.batch_shape) + a: p.name for a, p in plate_axes(statement).items()}
    free = tuple(1 if i in plates else n for i, n in enumerate(shape))
    copies = math.prod(free)
    if values is None or len(values) ** copies > LARGEST:
        raise cannot_sum(
            statement,
            ("values", "not a finite set" if values is None else f"{len(values)} ^ {copies}"),
        )
    digits = np.indices((len(values),) * copies).reshape(copies, -1).T
    names = tuple(plates[i] for i in sorted(plates))
    return Summed(statement.name, names, values[digits].reshape(-1, *free), shape)


def cannot_sum(statement: Statement, *facts: tuple[Any, ...]) -> SiteError:
    """The error for a discrete unknown that no sum is made over."""
    return SiteError(
        f'site "{statement.name}" is discrete and latent, and cannot be summed over.',
        facts=[("distribution", statement.summary), *facts],
        fix="put independent ones in a plate, observe it, or draw it in a guide of your own: "
        'estimator="score_function".',
        where=statement.source,
        code="M103",
    )


def _values(support: Constraint) -> np.ndarray[Any, Any] | None:
    """All values of one number, or None if they are not finitely many, or not known."""
    while isinstance(support, Independent):
        support = support.of
    if not isinstance(support, Integers):
        return None
    bounds = support.low, support.high
    if any(isinstance(b, Handle) and b.value is None for b in bounds):
        return None
    low, high = (np.asarray(b.value if isinstance(b, Handle) else b) for b in bounds)
    if not np.isfinite(high).all():
        return None
    return np.arange(int(low.min()), int(high.max()) + 1)


def _relative(total: Any, scale: Any, outer: Any) -> Any:
    """A total scaled by what its own scale is of another."""
    if scale is outer or (isinstance(scale, float | int) and scale == outer):
        return total
    return total * ((1.0 if scale is None else scale) / (1.0 if outer is None else outer))

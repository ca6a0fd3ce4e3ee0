"""The laws of distributions: SciPy twin, draws, derivatives, support, shapes, dtype, batches.

A class of your own is held to them by ``check_distribution(MyDistribution)``.
"""

from __future__ import annotations

import importlib
import math
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from bayesdl import constraints
from bayesdl._base.errors import ClosedFormError
from bayesdl.constraints import Constraint
from bayesdl.dist import Distribution
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.ops._bind import evaluate
from bayesdl.pipeline import jit
from bayesdl.tracing import trace
from bayesdl.transform.checking import check_grads
from bayesdl.transform.derived import jacobian, vjp, vmap

from .laws import BrokenLaw

FALSE_ALARM = 1e-6  # of one statistical comparison
DRAWS = 4000
SEED = 20240229


def check_distribution(cls: type[Distribution], laws: Sequence[str] | None = None) -> None:
    """Test a distribution class against the laws, on each of its examples.

    Parameters
    ----------
    cls : subclass of Distribution
        With `examples`, and `reference` where SciPy knows it.
    laws : sequence of str
        Of `LAWS`; all by default.

    Raises
    ------
    BrokenLaw
        With the distribution, the law, and both results.

    Examples
    --------
    >>> from bayesdl.dist import Laplace
    >>> check_distribution(Laplace, ["twin", "support"])
    """
    for example in cls.examples:
        for law in LAWS if laws is None else laws:
            LAWS[law](made(cls, example))


def made(cls: type[Distribution], example: Any) -> Distribution:
    """The distribution of an example, which is a tuple of arguments or a dict."""
    return cls(**example) if isinstance(example, dict) else cls(*example)


# --- the SciPy twin ---------------------------------------------------------------------------


def law_of_twin(d: Distribution) -> None:
    """Everything that has a closed form is what SciPy says; what has none raises."""
    twin = _twin(d)
    if twin is None:
        return
    x = _draws(d, 12)
    _agree("log_prob is SciPy's", d, d.log_prob(x), _twin_log_prob(d, twin, x), 1e-9)
    if _closed(lambda: d.entropy()):
        _agree("entropy is SciPy's", d, d.entropy(), twin.entropy(), 1e-8)
    for name, theirs in (("mean", _twin_mean), ("variance", _twin_variance)):
        if _closed(partial(getattr, d, name)):
            expected = np.asarray(theirs(twin))
            # Of moments that do not exist some are infinite here and NaN there.
            found, known = np.asarray(getattr(d, name)), np.isfinite(expected)
            _agree(f"{name} is SciPy's", d, found[known], expected[known], 1e-8)
            _agree(f"{name} exists as SciPy's", d, np.isfinite(found), known, 0)
    if d.event_shape:
        return
    between = np.concatenate([x, x + 0.4, np.ravel(d.support.interior)])
    if _closed(lambda: d.cdf(x)):
        _agree("cdf is SciPy's", d, d.cdf(between), twin.cdf(between), 1e-9)
    p = np.array([1e-4, 0.1, 0.5, 0.77, 1.0 - 1e-4])
    if _closed(lambda: d.icdf(p)):
        _agree("icdf is SciPy's", d, d.icdf(p), twin.ppf(p), 1e-8)


class _Folded:
    """Distribution of |X| for an X that is symmetric about 0: SciPy's methods, of SciPy's X."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def logpdf(self, x: Any) -> Any:
        return self.whole.logpdf(x) + math.log(2.0)

    def cdf(self, x: Any) -> Any:
        return 2.0 * self.whole.cdf(x) - 1.0

    def ppf(self, p: Any) -> Any:
        return self.whole.ppf(0.5 + 0.5 * p)

    def entropy(self) -> Any:
        return self.whole.entropy() - math.log(2.0)

    def mean(self) -> Any:
        return self.whole.expect(abs)

    def var(self) -> Any:
        return self.whole.var() - self.mean() ** 2


def _twin(d: Distribution) -> Any:
    if type(d).reference is None:
        return None
    names: dict[str, Any] = {"np": np, "scipy": _scipy(), "folded": _Folded}
    names |= {name: np.asarray(value) for name, value in d.parameters.items()}
    logits, special = names.get("logits"), names["scipy"].special
    if logits is not None:
        names["probs"] = special.softmax(logits, -1) if logits.ndim else special.expit(logits)
    if "scale_tril" in names:
        names["covariance"] = names["scale_tril"] @ names["scale_tril"].T
    if "precision" in names:
        names["covariance"] = np.linalg.inv(names["precision"])
    return eval(str(type(d).reference), names)


def _scipy() -> Any:
    """SciPy with the two rooms that twins live in."""
    package = importlib.import_module("scipy")
    for room in ("special", "stats"):
        importlib.import_module(f"scipy.{room}")
    return package


def _twin_log_prob(d: Distribution, twin: Any, x: Any) -> Any:
    if type(d).__name__ == "Dirichlet":
        return np.array([twin.logpdf(row) for row in x])
    return twin.logpmf(x) if d.is_discrete else twin.logpdf(x)


def _twin_mean(twin: Any) -> Any:
    return twin.mean() if callable(twin.mean) else twin.mean


def _twin_variance(twin: Any) -> Any:
    covariance = getattr(twin, "cov", None)
    if covariance is not None:
        return np.diagonal(covariance() if callable(covariance) else covariance)
    return twin.var()


# --- draws ------------------------------------------------------------------------------------


def law_of_draws(d: Distribution) -> None:
    """Draws of one number follow the distribution function, others have mean and variance.

    The first by the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart (1990), the second by a
    normal approximation, with a false-alarm rate of `FALSE_ALARM` for one comparison.
    """
    if not d.is_proper:
        return
    x = _draws(d, DRAWS)
    if not np.all(np.asarray(d.support.contains(x))):
        raise BrokenLaw(f"{d} breaks the law of draws in the support: {x}")
    cdf = _cdf_of(d)
    if cdf is not None:
        _follows(d, np.sort(x), cdf)
    elif _closed(lambda: (d.mean, d.variance)):
        _has_moments(d, x)


def _cdf_of(d: Distribution) -> Callable[[Any], Any] | None:
    if d.event_shape:
        return None
    twin = _twin(d)
    if twin is not None:
        return lambda v: np.asarray(twin.cdf(v))
    return (lambda v: np.asarray(d.cdf(v))) if _closed(lambda: d.cdf(0.5)) else None


def _follows(d: Distribution, x: Any, cdf: Callable[[Any], Any]) -> None:
    limit = math.sqrt(math.log(2.0 / FALSE_ALARM) / (2.0 * x.size))
    # At each value the two step functions are compared from the right; ties count once.
    values, counts = np.unique(x, return_counts=True)
    empirical = np.cumsum(counts) / x.size
    distance = np.abs(empirical - cdf(values)).max()
    if not distance <= limit:
        raise BrokenLaw(f"{d} breaks the law of draws: distance {distance:.4f}, limit {limit:.4f}")


def _has_moments(d: Distribution, x: Any) -> None:
    for name, sample in (("mean", x), ("variance", (x - np.asarray(d.mean)) ** 2)):
        error = np.maximum(np.std(sample, 0) / math.sqrt(len(sample)), 1e-12)
        z = np.abs(np.mean(sample, 0) - np.asarray(getattr(d, name))) / error
        if not np.all(z < 5.5):
            raise BrokenLaw(f"{d} breaks the law of draws: {name} is off by {z.max():.1f} errors")


# --- derivatives ------------------------------------------------------------------------------


def law_of_gradients(d: Distribution) -> None:
    """The derivatives of log_prob in value and parameters are those of difference quotients."""
    x = _draws(d, 4)
    names, values = _smooth_parameters(d)
    if names:
        check_grads(lambda *v: _with(d, names, v).log_prob_inside(x), values, order=1)
    if not d.is_discrete and not d.event_shape:
        check_grads(d.log_prob, (x,), order=1)


def law_of_scores(d: Distribution) -> None:
    """The derivative of log_prob in a parameter has mean 0 over draws.

    By a normal approximation, with a false-alarm rate of about `FALSE_ALARM` for one parameter.
    """
    names, values = _smooth_parameters(d)
    if not names or not d.is_proper or _moves(d, names, values):
        return
    x = _draws(d, DRAWS)
    for i, name in enumerate(names):
        scores = np.asarray(
            jacobian(lambda *v: _with(d, names, v).log_prob_inside(x), i, mode="forward")(*values)
        ).reshape(DRAWS, -1)
        error = np.maximum(scores.std(0) / math.sqrt(DRAWS), 1e-12)
        z = np.abs(scores.mean(0)) / error
        if not np.all((z < 5.5) | (np.abs(scores.mean(0)) < 1e-9)):
            raise BrokenLaw(f"{d} breaks the law of scores: {name} is off by {z.max():.1f} errors")


def _moves(d: Distribution, names: list[str], values: Sequence[Any]) -> bool:
    """Whether the support depends on a smooth parameter: then scores need not have mean 0."""
    return _with(d, names, [0.9 * v for v in values]).support.name != d.support.name


def _smooth_parameters(d: Distribution) -> tuple[list[str], list[Any]]:
    """Parameters that have neighbours: not counts, not points of the simplex."""
    own = type(d)._constraints()
    rigid = (constraints.nonnegative_integer, constraints.simplex)
    given = {
        n: np.asarray(p, float) for n, p in d.parameters.items() if n in own and own[n] not in rigid
    }
    return list(given), list(given.values())


def _with(d: Distribution, names: list[str], values: Sequence[Any]) -> Distribution:
    own = type(d)._constraints()
    given = {n: _projected(own[n], v) for n, v in zip(names, values, strict=True)}
    return type(d)(**(d._fields() | given))


def _projected(constraint: Constraint, x: Any) -> Any:
    """A neighbour of a matrix, made symmetric or triangular where it must be."""
    if constraint is constraints.positive_definite:
        return 0.5 * (x + bnp.swapaxes(x, -1, -2))
    return bnp.tril(x) if constraint is constraints.covariance_cholesky else x


# --- support ----------------------------------------------------------------------------------


def law_of_support(d: Distribution) -> None:
    """Outside the support log_prob is −inf, with finite derivatives; of NaN it is NaN."""
    if d.event_shape:
        return
    candidates = np.array([-1e3, -1.0, -0.5, 0.5, 1.5, 1e4])
    outside = candidates[~np.asarray(d.support.contains(candidates))]
    _agree("−inf outside the support", d, d.log_prob(outside), np.full(outside.shape, -np.inf), 0)
    names, values = _smooth_parameters(d)
    for i in range(len(names)):
        slope = jacobian(lambda *v: _with(d, names, v).log_prob(outside), i)(*values)
        _agree("finite derivatives outside", d, bool(np.all(np.isfinite(slope))), True, 0)
    if d.is_proper:
        _agree("NaN stays NaN", d, bool(np.isnan(d.log_prob(np.nan))), True, 0)


# --- shapes, dtype, batches -------------------------------------------------------------------


def law_of_shapes(d: Distribution) -> None:
    """expand, to_event, sample and log_prob speak of the same shapes."""
    wide = d.expand((2, 3))
    _agree("expand sets the batch shape", d, wide.batch_shape, (2, 3), 0)
    joined = wide.to_event(1)
    _agree("to_event moves an axis", d, joined.batch_shape, (2,), 0)
    _agree("to_event moves an axis", d, joined.event_shape, (3, *d.event_shape), 0)
    x = _draws(d, 1)[0]
    _agree("log_prob has the batch shape", d, np.shape(wide.log_prob(x)), (2, 3), 0)
    _agree("inside = masked", d, wide.log_prob_inside(x), wide.log_prob(x), 1e-12)
    whole = np.broadcast_to(x, (2, 3, *d.event_shape))
    _agree("to_event sums", d, joined.log_prob(whole), np.sum(wide.log_prob(whole), -1), 1e-12)
    _agree("to_event sums", d, joined.log_prob_inside(whole), joined.log_prob(whole), 1e-12)
    if d.is_proper:
        drawn = wide.sample(random.key(1), (4,))
        _agree("sample has all shapes", d, np.shape(drawn), (4, 2, 3, *d.event_shape), 0)
        _agree("copies are independent", d, _distinct(drawn), True, 0)


def _distinct(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "i" or len(np.unique(x)) > np.asarray(x).shape[0]


def law_of_batches(d: Distribution) -> None:
    """A batch of parameters is the distributions one by one, by broadcasting and by vmap."""
    names, values = _smooth_parameters(d)
    x = _draws(d, 3)
    if not names:
        return
    # A batch axis before the axes of one parameter; the members differ only where that is safe.
    batch = [np.stack([v] * 3) for v in values]
    expected = np.asarray(d.log_prob(x))
    _agree("batch = one by one", d, _with(d, names, batch).log_prob(x), expected, 1e-12)
    mapped = vmap(lambda row, *v: _with(d, names, v).log_prob(row))
    _agree("vmap = batch", d, mapped(x, *batch), expected, 1e-12)
    program = trace(lambda v, *p: _with(d, names, p).log_prob(v), x, *values).program
    _agree("traced = at once", d, evaluate(program, x, *values)[0], expected, 1e-12)


def law_of_dtype(d: Distribution) -> None:
    """float32 parameters stay float32, whatever the value; Python numbers follow the value."""
    x = _draws(d, 3)
    weak = all(type(p) in (int, float) for p in d.parameters.values())
    if weak:
        found = d.log_prob(np.asarray(x, np.float32))
        _agree("numbers follow the value", d, str(np.asarray(found).dtype), "float32", 0)
    if not d.parameters:
        return
    single = d._in(np.dtype(np.float32))
    kinds = [single.log_prob(x), *([] if d.is_discrete else [single.sample(random.key(0))])]
    kinds += [
        f() for f in (single.entropy, lambda: single.mean, lambda: single.variance) if _closed(f)
    ]
    _agree("float32 stays", d, {str(np.asarray(k).dtype) for k in kinds}, {"float32"}, 0)
    _agree("float32 is near", d, single.log_prob(x), d.log_prob(np.asarray(x, np.float32)), 2e-2)


def law_of_pickling(d: Distribution) -> None:
    """A distribution can be sent to another process."""
    x = _draws(d, 3)
    _agree("pickling", d, pickle.loads(pickle.dumps(d)).log_prob(x), d.log_prob(x), 0)


def law_of_native_code(d: Distribution) -> None:
    """Compiled, log_prob, its gradient and the draws are what they are at once."""
    x = _draws(d, 3)
    names, values = _smooth_parameters(d)
    if names:

        def both(x: Any, *v: Any) -> Any:
            found, pullback = vjp(lambda *p: bnp.sum(_with(d, names, p).log_prob(x)), *v)
            return [found, *pullback(1.0)]

        for found, expected in zip(jit(both)(x, *values), both(x, *values), strict=True):
            _agree("native = at once", d, found, expected, 1e-8)
    else:
        _agree("native = at once", d, jit(d.log_prob)(x), d.log_prob(x), 1e-8)
    if d.is_proper:
        key = random.key(SEED)

        def draw(key: Any) -> Any:
            return d.sample(key, (4,))

        _agree("native draws", d, jit(draw)(key), draw(key), 1e-8)


LAWS: dict[str, Callable[[Distribution], None]] = {
    "twin": law_of_twin,
    "draws": law_of_draws,
    "gradients": law_of_gradients,
    "scores": law_of_scores,
    "support": law_of_support,
    "shapes": law_of_shapes,
    "batches": law_of_batches,
    "dtype": law_of_dtype,
    "pickling": law_of_pickling,
    "native": law_of_native_code,
}


def _draws(d: Distribution, n: int) -> Any:
    """Draws, or for an improper distribution images of normal numbers."""
    if d.is_proper:
        return np.asarray(d.sample(random.key(SEED), (n,)))
    onto = d.support.bijector
    shape = onto.unconstrained_shape((n, *d.batch_shape, *d.event_shape))
    return np.asarray(onto.forward(np.random.default_rng(SEED).standard_normal(shape)))


def _closed(ask: Callable[[], Any]) -> bool:
    """Whether there is a formula."""
    try:
        ask()
    except ClosedFormError:
        return False
    return True


def _agree(law: str, d: Distribution, found: Any, expected: Any, tolerance: float) -> None:
    if not tolerance:
        same = (
            found == expected
            if not isinstance(expected, np.ndarray)
            else np.array_equal(found, expected)
        )
    else:
        same = np.allclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not same:
        raise BrokenLaw(f"{d} breaks the law of {law}: {found} is not {expected}")

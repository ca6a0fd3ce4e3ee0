"""Where numbers cease to be finite: the sites at a position, and the first operation to blame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesdl._base.errors import SampleError
from bayesdl._base.tree import flatten, unflatten
from bayesdl.ir.program import Equation, Var
from bayesdl.model.density import Density
from bayesdl.ops._bind import compute, evaluate
from bayesdl.tracing import trace
from bayesdl.transform.derived import value_and_grad


def not_finite(
    density: Density,
    position: np.ndarray[Any, Any],
    value: float,
    gradient: np.ndarray[Any, Any],
) -> SampleError:
    """The error for a start without a finite density: values, gradients, first bad operation."""
    culprit = _first_non_finite(density, position)
    return SampleError(
        f"the log density is {value} at the last of the starting positions tried.",
        facts=[*site_rows(density, position, gradient), *operation_rows(culprit)],
        fix="check the data of the observed sites and the priors' supports, or pass initvals=...",
        where=culprit.source if culprit else None,
        code="S101",
    )


def site_rows(
    density: Density, position: np.ndarray[Any, Any], gradient: np.ndarray[Any, Any]
) -> list[tuple[str, ...]]:
    """A table of what each site has at a position: value, log density, slope."""
    rows: list[tuple[str, ...]] = [("site", "value", "log density", "gradient norm")]
    names: list[str] = []

    def terms_of(*args: Any) -> dict[str, Any]:
        found = density.site_log_densities(*args)
        names.extend(found)
        return found

    values = computed(density.constrain, position, *density.data)
    terms = computed(terms_of, position, *density.data)
    # Containers that are computed come back in another order than the model's.
    for name in names:
        term, site = terms[name], density.sites.table.get(name)
        latent = site is not None and site.latent
        shown = np.array2string(np.ravel(values[name])[:3], precision=3) if latent else "data"
        norm = f"{float(np.linalg.norm(gradient[site.slice])):.3g}" if site and latent else "-"
        rows.append((name, "-" if site is None else shown, f"{float(term):.4g}", norm))
    return rows


def operation_rows(culprit: Equation | None) -> list[tuple[str, ...]]:
    """A row that names an operation, and the line of the model that it comes from."""
    if culprit is None:
        return []
    place = culprit.source.short if culprit.source else "inside a distribution"
    return [("first non-finite operation", f"`{culprit.primitive.name}`", place)]


def _first_non_finite(density: Density, position: np.ndarray[Any, Any]) -> Equation | None:
    """In the density, then in the gradient."""
    for function in (density.function, value_and_grad(density.function)):
        found = first_bad_operation(function, position, *density.data)
        if found is not None:
            return found
    return None


def computed(function: Callable[..., Any], *args: Any) -> Any:
    """What a function gives, whatever it is: neither NumPy nor a distribution is asked to object.

    Parameters
    ----------
    function : callable
    *args
        Arrays, in containers of any depth.
    """
    traced = trace(function, *args, name="computed")
    with np.errstate(all="ignore"):
        return unflatten(traced.tree, evaluate(traced.program, *flatten(args)[0]))


def first_bad_operation(function: Callable[..., Any], *args: Any) -> Equation | None:
    """Compute a function step by step: the first equation with finite inputs and another output.

    Parameters
    ----------
    function : callable
    *args
        Arrays, in containers of any depth.
    """
    program = trace(function, *args, name="log_density").program
    values: dict[Var, Any] = dict(zip(program.inputs, flatten(args)[0], strict=True))
    for equation in program.equations:
        inputs = [values[a] if isinstance(a, Var) else a.value for a in equation.inputs]
        with np.errstate(all="ignore"):
            outputs = compute(equation.primitive, inputs, dict(equation.params))
        values.update(zip(equation.outputs, outputs, strict=True))
        if all_finite(inputs) and not all_finite(outputs):
            return equation
    return None


def all_finite(arrays: Any) -> bool:
    """Whether the numbers in arrays, or in containers of arrays, are neither infinite nor NaN."""
    found = [np.asarray(a) for a in flatten(arrays)[0]]
    return all(bool(np.isfinite(a).all()) for a in found if a.dtype.kind == "f")

"""Where chains start, and what to say when no start is any good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesdl._base.errors import SampleError
from bayesdl.ir.program import Equation, Var
from bayesdl.ir.types import ArrayType
from bayesdl.model.density import Density
from bayesdl.ops._bind import compute
from bayesdl.tracing import trace

from .log_density import LogDensity

TRIES = 100


def starting_positions(
    density: Density,
    chains: int,
    rng: np.random.Generator,
    initvals: Mapping[str, Any] | None = None,
) -> np.ndarray[Any, Any]:
    """A position for each chain at which the log density and its gradient are finite.

    Uniform on (−1, 1), weights of layers divided by √fan_in, so that a wide network starts where
    it is not
    saturated.

    Parameters
    ----------
    density : Density
    chains : int
    rng : numpy.random.Generator
    initvals : mapping, optional
        Values of all latent sites to start from.

    Returns
    -------
    array, shape (chains, dim)

    Raises
    ------
    SampleError
        If no finite position is found in 100 tries: a row per site, and the first operation that
        is not
        finite.
    """
    ld = LogDensity(density)
    return np.array([_start(density, ld, rng, initvals) for _ in range(chains)])


def _start(
    density: Density, ld: LogDensity, rng: np.random.Generator, initvals: Mapping[str, Any] | None
) -> np.ndarray[Any, Any]:
    scale = _scales(density)
    for _ in range(TRIES if initvals is None else 1):
        given = rng.uniform(-1.0, 1.0, density.dim) * scale
        position = given if initvals is None else ld.unconstrain(initvals)
        value, gradient = ld.value_and_grad(position)
        if np.isfinite(value) and np.isfinite(gradient).all():
            return np.asarray(position, density.dtype)
    raise not_finite(density, ld, position)


def _scales(density: Density) -> np.ndarray[Any, Any]:
    scale = np.ones(density.dim)
    for site in density.sites.latent.values():
        if site.role == "weight":
            scale[site.slice] = 1.0 / np.sqrt(max(site.type.shape[0], 1))
    return scale


def not_finite(density: Density, ld: LogDensity, position: np.ndarray[Any, Any]) -> SampleError:
    """The error for a start without a finite density: values, gradients, first bad operation."""
    value, gradient = ld.value_and_grad(position)
    values = ld.constrain(position)
    terms = density.site_log_densities(position, *density.data)
    rows: list[tuple[Any, ...]] = [("site", "value", "log density", "gradient norm")]
    for site in density.sites.values():
        shown = (
            np.array2string(np.ravel(values[site.name])[:3], precision=3) if site.latent else "data"
        )
        norm = f"{float(np.linalg.norm(gradient[site.slice])):.3g}" if site.latent else "-"
        if site.name in terms:
            rows.append((site.name, shown, f"{float(terms[site.name]):.4g}", norm))
    culprit = first_non_finite(density, position)
    if culprit is not None:
        place = culprit.source.short if culprit.source else "inside a distribution"
        rows.append(("first non-finite operation", f"`{culprit.primitive.name}`", place))
    return SampleError(
        f"the log density is {value} at the last of the starting positions tried.",
        facts=rows,
        fix="check the data of the observed sites and the priors' supports, or pass initvals=...",
        where=culprit.source if culprit else None,
        code="S101",
    )


def first_non_finite(density: Density, position: np.ndarray[Any, Any]) -> Equation | None:
    """Replay the log density: the first equation with finite inputs and another output."""
    kind = ArrayType(position.shape, position.dtype)
    program = trace(density.function, kind, *density.data, name="log_density").program
    values: dict[Var, Any] = dict(zip(program.inputs, [position, *density.data], strict=True))
    for equation in program.equations:
        inputs = [values[a] if isinstance(a, Var) else a.value for a in equation.inputs]
        outputs = compute(equation.primitive, inputs, dict(equation.params))
        values.update(zip(equation.outputs, outputs, strict=True))
        if _finite(inputs) and not _finite(outputs):
            return equation
    return None


def _finite(arrays: Any) -> bool:
    return all(np.isfinite(a).all() for a in arrays if np.asarray(a).dtype.kind == "f")

"""The laws of layers: their weights and priors, rows, derivatives, batches, Programs, dtype.

A class of your own is held to them by ``check_layer(MyLayer)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from bayesdl._base.tree import flatten
from bayesdl.model.handlers import Statement, seed, substitute, trace_sites
from bayesdl.model.sites import read_sites
from bayesdl.model.statements import factor
from bayesdl.nn._base import ROLES, Example, Layer
from bayesdl.ops import numpy as bnp
from bayesdl.ops._bind import evaluate
from bayesdl.pipeline import jit
from bayesdl.tracing import trace
from bayesdl.transform.checking import check_grads
from bayesdl.transform.derived import vmap

from .laws import BrokenLaw

SEED = 20240301
BATCHES = 3


def check_layer(cls: type[Layer], laws: Sequence[str] | None = None) -> None:
    """Test a layer class against the laws, on each of its examples.

    Parameters
    ----------
    cls : subclass of Layer
        With `examples`.
    laws : sequence of str
        Of `LAWS`; all by default.

    Raises
    ------
    BrokenLaw
        With the layer, the law, and both results.

    Examples
    --------
    >>> from bayesdl.nn import Linear
    >>> check_layer(Linear, ["weights", "rows"])
    """
    for example in cls.examples:
        for law in LAWS if laws is None else laws:
            LAWS[law](cls(**example.arguments), example)


def law_of_weights(layer: Layer, example: Example) -> None:
    """The sites are those that are declared, in this order, each one event of one prior."""
    sites = _sites(layer, _inputs(example))
    declared = {_full(layer, name): shape for name, shape in example.weights.items()}
    shapes = {name: site.law.event_shape for name, site in sites.items()}
    _agree("the weights are those declared", layer, list(shapes.items()), list(declared.items()))
    for name, site in sites.items():
        _agree(f"{name} is one event", layer, site.law.batch_shape, ())
        _agree(f"{name} has the shape of its prior", layer, np.shape(site.value), shapes[name])
        _agree(f"the prior of {name} is proper", layer, site.law.is_proper, True)
        _agree(f"{name} says what it is", layer, site.role in ROLES, True)
        owner = name.startswith(f"{site.layer}.")
        _agree(f"{name} begins with the name of its layer", layer, owner, True)


def law_of_plainness(layer: Layer, example: Example) -> None:
    """Without priors the weights are parameters of the same names and shapes."""
    priors = {f.name: None for f in fields(layer) if f.name.endswith("prior")}  # type: ignore[arg-type]
    if not priors:
        return
    plain = replace(layer, **priors)  # type: ignore[type-var]
    x = _inputs(example)

    def model() -> None:
        factor("outputs", bnp.sum(plain(x)))

    found = {s.name: (s.type.shape, s.point) for s in read_sites(model, ()).values()}
    declared = {_full(layer, name): (shape, True) for name, shape in example.weights.items()}
    _agree("plain weights are parameters", layer, found, declared)


def law_of_rows(layer: Layer, example: Example) -> None:
    """Each row is worked on by itself: one example is a batch of one."""
    x = _inputs(example)
    weights = _weights(layer, x)
    y = _outputs(layer, weights, x)
    _agree("outputs have their shape", layer, np.shape(y), example.outputs)
    each = [_outputs(layer, weights, x[i : i + 1]) for i in range(len(x))]
    _agree("one row is a batch of one", layer, np.concatenate(each), y, 1e-12)


def law_of_gradients(layer: Layer, example: Example) -> None:
    """Derivatives in both modes by weights and inputs are differences."""
    x = _inputs(example)
    weights = _weights(layer, x)
    names = list(weights)

    def function(*values: Any) -> Any:
        found, inputs = values[: len(names)], values[len(names) :]
        return _outputs(layer, dict(zip(names, found, strict=True)), inputs[0] if inputs else x)

    args = [*weights.values(), *([] if example.below else [x])]
    try:
        check_grads(function, args, order=1)
    except AssertionError as error:
        raise BrokenLaw(f"{layer} breaks the law of derivatives: {error}") from error


def law_of_batches(layer: Layer, example: Example) -> None:
    """vmap over weights and inputs is a loop over them."""
    x = np.stack([_inputs(example, i) for i in range(BATCHES)])
    draws = [_weights(layer, x[i], i) for i in range(BATCHES)]
    stacked = {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}
    each = [_outputs(layer, draw, row) for draw, row in zip(draws, x, strict=True)]
    both = vmap(lambda w, v: _outputs(layer, w, v))(stacked, x)
    _agree("vmap = one by one", layer, both, np.stack(each), 1e-12)
    shared = vmap(lambda v: _outputs(layer, draws[0], v))(x)
    each = [_outputs(layer, draws[0], row) for row in x]
    _agree("vmap over inputs alone = one by one", layer, shared, np.stack(each), 1e-12)


def law_of_traces(layer: Layer, example: Example) -> None:
    """A Program of the layer gives what the layer gives at once."""
    x = _inputs(example)
    weights = _weights(layer, x)
    program = trace(lambda w, v: _outputs(layer, w, v), weights, x).program
    (found,) = evaluate(program, *flatten(weights)[0], x)
    _agree("traced = at once", layer, found, _outputs(layer, weights, x), 1e-13)


def law_of_native_code(layer: Layer, example: Example) -> None:
    """Native code gives what the layer gives at once."""
    x = _inputs(example)
    weights = _weights(layer, x)
    found = jit(lambda w, v: _outputs(layer, w, v))(weights, x)
    _agree("native = at once", layer, found, _outputs(layer, weights, x), 1e-10)


def law_of_dtype(layer: Layer, example: Example) -> None:
    """In a model of float32, weights and outputs of float32 inputs are float32."""
    x = _inputs(example)
    x = x if example.below else x.astype(np.float32)
    with bnp.using_dtype(np.float32):
        weights = _weights(layer, x)
        kinds = {str(np.asarray(v).dtype) for v in [*weights.values(), _outputs(layer, weights, x)]}
    _agree("float32 stays float32", layer, kinds, {"float32"})


LAWS: dict[str, Callable[[Layer, Example], None]] = {
    "weights": law_of_weights,
    "plainness": law_of_plainness,
    "rows": law_of_rows,
    "gradients": law_of_gradients,
    "batches": law_of_batches,
    "traces": law_of_traces,
    "native": law_of_native_code,
    "dtype": law_of_dtype,
}


def _inputs(example: Example, number: int = 0) -> Any:
    rng = np.random.default_rng([SEED, number])
    if example.below:
        return rng.integers(0, example.below, example.inputs)
    return rng.normal(size=example.inputs)


def _sites(layer: Layer, x: Any, number: int = 0) -> dict[str, Statement]:
    with trace_sites() as sites, seed(SEED + number):
        layer(x)
    return sites


def _weights(layer: Layer, x: Any, number: int = 0) -> dict[str, Any]:
    """A draw of the weights."""
    return {name: np.asarray(site.value) for name, site in _sites(layer, x, number).items()}


def _outputs(layer: Layer, weights: Mapping[str, Any], x: Any) -> Any:
    with substitute(weights):
        return layer(x)


def _full(layer: Layer, name: str) -> str:
    """The name of a site: that of the layer first, where it has one."""
    own = [getattr(layer, f.name) for f in fields(layer) if f.name == "name"]  # type: ignore[arg-type]
    return f"{own[0]}.{name}" if own else name


def _agree(law: str, layer: Layer, found: Any, expected: Any, tolerance: float = 0.0) -> None:
    if tolerance:
        same = np.allclose(found, expected, rtol=tolerance, atol=tolerance)
    else:
        same = found == expected
    if not same:
        raise BrokenLaw(f"{layer} breaks the law of {law}: {found} is not {expected}")

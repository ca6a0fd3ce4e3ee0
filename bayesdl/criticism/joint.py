"""The joint distribution test: kernel and simulator in turn must leave their joint law alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesdl._base.tree import flatten, unflatten
from bayesdl.infer.kernel import Kernel, Phase
from bayesdl.ir.types import ArrayType
from bayesdl.model import as_model
from bayesdl.model.density import build_density
from bayesdl.model.predict import predictive
from bayesdl.ops import numpy as bnp
from bayesdl.ops import random
from bayesdl.pipeline import compile
from bayesdl.tracing import trace
from bayesdl.tracing.flow import scan, shared
from bayesdl.transform.derived import value_and_grad

from ._simulated import given_data, simulated
from .convergence import mcse_mean
from .table import Table


def joint_distribution_test(
    model: Any,
    *data: Any,
    kernel: Kernel,
    iterations: int = 20_000,
    random_seed: int = 0,
) -> Table:
    """Compare moments of (parameters, data) drawn in two ways that agree if all code is right.

    One way draws parameters from the prior and data given them. The other goes on from one such
    pair: new data given the parameters, one step of the kernel given the data, and so on.

    Parameters
    ----------
    model : Model or callable
    *data
        The model's arguments; those that feed ``obs=`` are replaced by simulated values.
    kernel : Kernel
        A Hamiltonian one; its step size and mass stay as they are set at the first state.
    iterations : int, default 20000
    random_seed : int, default 0

    Returns
    -------
    Table
        A row for the first and second moment of each element: both means, and their z score.

    References
    ----------
    Geweke (2004), Getting it right: joint distribution tests of posterior simulators, Journal of
    the American Statistical Association 99.
    """
    known = as_model(model)
    truths, observed = simulated(known, data, iterations, random_seed, np.float64)
    density = build_density(given_data(known), ({n: x[0] for n, x in observed.items()}, *data))
    forward = predictive(known, data, names=tuple(observed))
    rest = density.data[len(observed) :]
    both = shared(value_and_grad(density.function))

    def at(y: Any, fixed: Any) -> Any:
        return lambda position: both(position, *(y[name] for name in observed), *fixed)

    def walk(key: Any, position: Any, y: Any, *fixed: Any) -> Any:
        first = kernel.init(key, position, at(y, fixed))
        leaves, tree = flatten(first)

        def turn(carry: Any, i: Any) -> Any:
            keys = random.split(random.fold_in(key, i), 2)
            state = unflatten(tree, carry)
            values = density.constrain(state.position, *y.values(), *fixed)
            latent = {name: values[name] for name in density.sites.latent}
            new = forward(latent, keys[0], *forward.data)
            value, gradient = at(new, fixed)(state.position)
            state = replace(state, value=value, gradient=gradient)
            settled = Phase(np.bool_(False), np.bool_(False), np.bool_(False), i, np.float64(1.0))
            state, _ = kernel.step(keys[1], state, at(new, fixed), settled)
            return flatten(state)[0], {**latent, **new}

        return scan(turn, leaves, np.arange(iterations))[1]

    start = {name: x[0] for name, x in truths.items()}
    position = density.unconstrain(start, *density.data)
    kinds = [ArrayType(np.shape(d), d.dtype) for d in rest]
    y0 = {name: x[0] for name, x in observed.items()}
    types = {name: ArrayType(np.shape(x), np.asarray(x).dtype) for name, x in y0.items()}
    with bnp.using_dtype(np.float64):
        key_type = ArrayType((2,), np.dtype(np.uint32))
        traced = trace(walk, key_type, ArrayType((density.dim,), np.dtype(float)), types, *kinds)
    arrays = [np.asarray(random.key(random_seed + 1)), np.asarray(position), *y0.values(), *rest]
    chain = unflatten(traced.tree, compile(traced.program)(*arrays))
    return _compared({**truths, **observed}, chain)


def _compared(independent: Any, chain: Any) -> Table:
    rows: list[Any] = []
    for name, walked in chain.items():
        ours = np.reshape(walked, (len(walked), -1)).astype(float)
        theirs = np.reshape(independent[name], ours.shape).astype(float)
        for j in range(ours.shape[1]):
            label = name if ours.shape[1] == 1 else f"{name}[{j}]"
            for power in (1, 2):
                a, b = ours[:, j] ** power, theirs[:, j] ** power
                error = np.hypot(float(mcse_mean(a[None])), b.std() / np.sqrt(len(b)))
                z = float((a.mean() - b.mean()) / error) if error > 0 else 0.0
                rows.append((f"{label}^{power}", float(b.mean()), float(a.mean()), z))
    return Table(["moment", "independent", "in turn", "z"], rows)

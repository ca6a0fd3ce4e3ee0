"""Bayesian deep learning and probabilistic programming: one model, every method, one table.

Public names are loaded when they are first used, so that ``import bayesdl`` costs little more than
``import numpy``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bayesdl._base.version import VERSION as __version__

if TYPE_CHECKING:
    from bayesdl import constraints as constraints
    from bayesdl import dist as dist
    from bayesdl import nn as nn
    from bayesdl import solvers as solvers
    from bayesdl._base.errors import BayesdlError as BayesdlError
    from bayesdl.criticism.calibration import (
        simulation_based_calibration as simulation_based_calibration,
    )
    from bayesdl.criticism.compare import compare as compare
    from bayesdl.criticism.fits import fit as fit
    from bayesdl.criticism.fits import load as load
    from bayesdl.criticism.posterior import Posterior as Posterior
    from bayesdl.criticism.prior import prior_predictive as prior_predictive
    from bayesdl.infer.log_density import log_density as log_density
    from bayesdl.model import model as model
    from bayesdl.model.handlers import block as block
    from bayesdl.model.handlers import condition as condition
    from bayesdl.model.handlers import do as do
    from bayesdl.model.handlers import mask as mask
    from bayesdl.model.handlers import scale as scale
    from bayesdl.model.handlers import seed as seed
    from bayesdl.model.handlers import substitute as substitute
    from bayesdl.model.statements import deterministic as deterministic
    from bayesdl.model.statements import factor as factor
    from bayesdl.model.statements import observe as observe
    from bayesdl.model.statements import param as param
    from bayesdl.model.statements import plate as plate
    from bayesdl.model.statements import sample as sample
    from bayesdl.model.statements import scope as scope
    from bayesdl.ops import numpy as numpy
    from bayesdl.ops import random as random
    from bayesdl.ops.numpy import stop_gradient as stop_gradient
    from bayesdl.pipeline import jit as jit
    from bayesdl.tracing.flow import cond as cond
    from bayesdl.tracing.flow import fori_loop as fori_loop
    from bayesdl.tracing.flow import scan as scan
    from bayesdl.tracing.flow import while_loop as while_loop
    from bayesdl.transform.checking import check_grads as check_grads
    from bayesdl.transform.custom import custom_vjp as custom_vjp
    from bayesdl.transform.derived import grad as grad
    from bayesdl.transform.derived import hessian as hessian
    from bayesdl.transform.derived import hvp as hvp
    from bayesdl.transform.derived import jacobian as jacobian
    from bayesdl.transform.derived import jvp as jvp
    from bayesdl.transform.derived import value_and_grad as value_and_grad
    from bayesdl.transform.derived import vjp as vjp
    from bayesdl.transform.derived import vmap as vmap

# Where each public name lives; names under `_MODULES` are modules themselves.
_HOMES = {
    "bayesdl": ("constraints", "dist", "nn", "solvers"),
    "bayesdl.ops": ("numpy", "random"),
    "bayesdl._base.errors": ("BayesdlError",),
    "bayesdl.criticism.calibration": ("simulation_based_calibration",),
    "bayesdl.criticism.compare": ("compare",),
    "bayesdl.criticism.fits": ("fit", "load"),
    "bayesdl.criticism.posterior": ("Posterior",),
    "bayesdl.criticism.prior": ("prior_predictive",),
    "bayesdl.infer.log_density": ("log_density",),
    "bayesdl.model": ("model",),
    "bayesdl.model.handlers": ("block", "condition", "do", "mask", "scale", "seed", "substitute"),
    "bayesdl.model.statements": (
        "deterministic",
        "factor",
        "observe",
        "param",
        "plate",
        "sample",
        "scope",
    ),
    "bayesdl.ops.numpy": ("stop_gradient",),
    "bayesdl.pipeline": ("jit",),
    "bayesdl.tracing.flow": ("cond", "fori_loop", "scan", "while_loop"),
    "bayesdl.transform.checking": ("check_grads",),
    "bayesdl.transform.custom": ("custom_vjp",),
    "bayesdl.transform.derived": (
        "grad",
        "hessian",
        "hvp",
        "jacobian",
        "jvp",
        "value_and_grad",
        "vjp",
        "vmap",
    ),
}
_MODULES = ("bayesdl", "bayesdl.ops")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'bayesdl' has no attribute {name!r}")
    inside = import_module(f"{home}.{name}" if home in _MODULES else home)
    found = inside if home in _MODULES else getattr(inside, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

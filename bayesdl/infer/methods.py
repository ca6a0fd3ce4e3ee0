"""Every method by name: importing this fills the registry of kernels."""

from __future__ import annotations

from .deep.concrete_dropout import ConcreteDropout
from .deep.dropconnect import DropConnect
from .deep.mc_dropout import MCDropout
from .deep.variational_dropout import VariationalDropout
from .kernel import KERNELS, Kernel
from .mcmc.hmc import HMC
from .mcmc.nuts import NUTS
from .vi.advi import ADVI
from .vi.vi import VI

__all__ = [
    "ADVI",
    "HMC",
    "KERNELS",
    "NUTS",
    "VI",
    "ConcreteDropout",
    "DropConnect",
    "Kernel",
    "MCDropout",
    "VariationalDropout",
]

"""Every method by name: importing this fills the registry of kernels."""

from __future__ import annotations

from .deep.mc_dropout import MCDropout
from .kernel import KERNELS, Kernel
from .mcmc.hmc import HMC
from .mcmc.nuts import NUTS
from .vi.advi import ADVI
from .vi.vi import VI

__all__ = ["ADVI", "HMC", "KERNELS", "NUTS", "VI", "Kernel", "MCDropout"]

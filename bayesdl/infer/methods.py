"""Every method by name; the module of one is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from .kernel import KERNELS as LOADED
from .kernel import Kernel

# Where each enters itself in the registry of kernels.
HOMES = {
    "concrete_dropout": "deep.concrete_dropout",
    "dropconnect": "deep.dropconnect",
    "mc_dropout": "deep.mc_dropout",
    "variational_dropout": "deep.variational_dropout",
    "sparse_variational_dropout": "deep.sparse_dropout",
    "hmc": "mcmc.hmc",
    "nuts": "mcmc.nuts",
    "advi": "vi.advi",
    "vi": "vi.vi",
}


class Methods(Mapping[str, type[Kernel]]):
    """The package's kernels, loaded or not, and those that others have entered."""

    def __getitem__(self, name: str) -> type[Kernel]:
        if name in HOMES:
            import_module(f"{__package__}.{HOMES[name]}")
        return LOADED[name]

    def __contains__(self, name: object) -> bool:
        return name in HOMES or name in LOADED

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*HOMES, *LOADED)))

    def __len__(self) -> int:
        return len({*HOMES, *LOADED})


KERNELS = Methods()

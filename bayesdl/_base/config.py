"""The four switches; nothing else in the package reads the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass
class Config:
    """Process-wide switches, read once from the environment.

    Attributes
    ----------
    check : bool
        Verify every Program after every pass (``BAYESDL_CHECK=1``).
    dump : frozenset of str
        Stages whose Programs are printed (``BAYESDL_DUMP=trace,simplify,llvm``).
    backend : str
        ``"llvm"`` or ``"interpret"`` (``BAYESDL_BACKEND``).
    cache : str
        Folder of compiled objects (``BAYESDL_CACHE``); empty means the user's cache folder.
    """

    check: bool = False
    dump: frozenset[str] = frozenset()
    backend: str = "llvm"
    cache: str = ""

    @classmethod
    def from_environment(cls) -> Config:
        """Read the four switches."""
        env = os.environ
        return cls(
            check=env.get("BAYESDL_CHECK", "") not in ("", "0"),
            dump=frozenset(s for s in env.get("BAYESDL_DUMP", "").split(",") if s),
            backend=env.get("BAYESDL_BACKEND", "llvm"),
            cache=env.get("BAYESDL_CACHE", ""),
        )


config = Config.from_environment()

"""The few switches; nothing else in the package reads the environment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from .dataclass import dataclass
from .errors import ArgumentError

# When this process read the package's code: what changed later is not what runs.
STARTED = time.time()


@dataclass()
class Config:
    """Process-wide switches, read once from the environment.

    Attributes
    ----------
    check : bool
        Verify every Program after every pass (``BAYESDL_CHECK=1``).
    dump : frozenset of str
        Stages that are printed
        (``BAYESDL_DUMP=trace,simplify,fuse,plan,llvm,optimised,asm,timings``).
    backend : str
        ``"llvm"`` or ``"interpret"`` (``BAYESDL_BACKEND``).
    cache : str
        Folder of compiled objects (``BAYESDL_CACHE``): the user's cache folder if not set;
        ``off`` for none.
    cache_megabytes : int
        How large that folder may grow (``BAYESDL_CACHE_MEGABYTES``).
    cpu : str
        The processor that code is made for, in LLVM's words; empty for this one (``BAYESDL_CPU``).
    """

    check: bool = False
    dump: frozenset[str] = frozenset()
    backend: str = "llvm"
    cache: str = "off"
    cache_megabytes: int = 1000
    cpu: str = ""

    @classmethod
    def from_environment(cls) -> Config:
        """Read the switches."""
        env = os.environ
        return cls(
            check=env.get("BAYESDL_CHECK", "") not in ("", "0"),
            dump=frozenset(s.strip() for s in env.get("BAYESDL_DUMP", "").split(",") if s.strip()),
            backend=env.get("BAYESDL_BACKEND", "llvm"),
            cache=env.get("BAYESDL_CACHE", "") or user_cache_folder(env, sys.platform),
            cache_megabytes=_whole(env, "BAYESDL_CACHE_MEGABYTES", 1000),
            cpu=env.get("BAYESDL_CPU", ""),
        )


def user_cache_folder(env: Mapping[str, str], system: str) -> str:
    """Where this system wants caches to be; ``off`` where the user has no home.

    Parameters
    ----------
    env : mapping of str to str
        The environment.
    system : str
        As `sys.platform` names it.
    """
    home = os.path.expanduser("~")
    if system == "win32":
        root = env.get("LOCALAPPDATA", os.path.join(home, "AppData", "Local"))
    elif system == "darwin":
        root = os.path.join(home, "Library", "Caches")
    else:
        root = env.get("XDG_CACHE_HOME", "") or os.path.join(home, ".cache")
    return os.path.join(root, "bayesdl") if os.path.isabs(root) else "off"


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if text and not text.isdecimal():
        raise ArgumentError(
            f"{name} must be a whole number.",
            facts=[("given", repr(text))],
            fix=f"for example {name}={default}.",
            code="A120",
        )
    return int(text) if text else default


config = Config.from_environment()

"""A compiled module of another package, without the package around it: that takes far longer."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def load_alone(name: str) -> ModuleType:
    """Load one compiled module from its file.

    Parameters
    ----------
    name : str
        As it is imported, such as ``scipy.linalg.cython_blas``.

    Returns
    -------
    module
        The package's own where that has been imported.

    Raises
    ------
    ImportError
        If it has no file of its own, or needs its package.
    """
    package = name.rpartition(".")[0]
    if package in sys.modules:
        return import_module(name)
    top, *rooms = package.split(".")
    if os.name == "nt":
        # It says where the package's libraries lie.
        import_module(top)
    found = find_spec(top)
    for folder in (found.submodule_search_locations if found is not None else None) or ():
        loader = ExtensionFileLoader, EXTENSION_SUFFIXES
        spec = FileFinder(os.path.join(folder, *rooms), loader).find_spec(name)
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            # Listed while its package is not, it would never become the package's attribute.
            sys.modules.pop(name, None)
            return module
    raise ImportError(f"{name} has no file of its own", name=name)

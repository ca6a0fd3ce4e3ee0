"""Network layers whose weights are sample sites with priors scaled to the fan-in."""

# isort: split
# --- exports: written by `make exports`, do not edit ---
from .linear import Linear as Linear
from .mlp import MLP as MLP

__all__ = [
    "MLP",
    "Linear",
]
# --- end of exports ---

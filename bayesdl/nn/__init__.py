"""Network layers whose weights are sample sites with priors scaled to the fan-in."""

from . import heads as heads
from . import priors as priors

# isort: split
# --- exports: written by `make exports`, do not edit ---
from typing import TYPE_CHECKING

from bayesdl._base.lazy import lazily

if TYPE_CHECKING:
    from .attention import MultiHeadAttention as MultiHeadAttention
    from .conv import Conv1d as Conv1d
    from .conv import Conv2d as Conv2d
    from .conv import ConvTranspose1d as ConvTranspose1d
    from .conv import ConvTranspose2d as ConvTranspose2d
    from .dropout import Dropout as Dropout
    from .embedding import Embedding as Embedding
    from .linear import Linear as Linear
    from .mlp import MLP as MLP
    from .norm import FilterResponseNorm as FilterResponseNorm
    from .norm import LayerNorm as LayerNorm
    from .pool import AveragePool as AveragePool
    from .pool import MaxPool as MaxPool
    from .recurrent import GRU as GRU
    from .recurrent import LSTM as LSTM
    from .sequential import Flatten as Flatten
    from .sequential import Residual as Residual
    from .sequential import Sequential as Sequential
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "MultiHeadAttention": "attention",
            "Conv1d": "conv",
            "Conv2d": "conv",
            "ConvTranspose1d": "conv",
            "ConvTranspose2d": "conv",
            "Dropout": "dropout",
            "Embedding": "embedding",
            "Linear": "linear",
            "MLP": "mlp",
            "FilterResponseNorm": "norm",
            "LayerNorm": "norm",
            "AveragePool": "pool",
            "MaxPool": "pool",
            "GRU": "recurrent",
            "LSTM": "recurrent",
            "Flatten": "sequential",
            "Residual": "sequential",
            "Sequential": "sequential",
        },
    )

__all__ = [
    "GRU",
    "LSTM",
    "MLP",
    "AveragePool",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Dropout",
    "Embedding",
    "FilterResponseNorm",
    "Flatten",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "MultiHeadAttention",
    "Residual",
    "Sequential",
    "heads",
    "priors",
]
# --- end of exports ---

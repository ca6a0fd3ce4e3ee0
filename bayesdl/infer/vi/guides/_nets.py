"""The small networks inside normalising flows."""

from __future__ import annotations

import math
from typing import Any

from bayesdl.ops import numpy as bnp
from bayesdl.ops import random


def start_net(key: Any, inputs: int, hidden: int, outputs: int, dtype: Any) -> Any:
    """One hidden layer; the outputs start at zero."""
    scale = 1.0 / math.sqrt(max(inputs, 1))
    return {
        "inner": scale * random.normal(key, (inputs, hidden), dtype),
        "inner_bias": bnp.zeros((hidden,), dtype),
        "outer": bnp.zeros((hidden, outputs), dtype),
        "outer_bias": bnp.zeros((outputs,), dtype),
    }


def net(params: Any, x: Any, inner_mask: Any = 1.0, outer_mask: Any = 1.0) -> Any:
    """Outputs at x of shape (inputs,); masks say which weights there are."""
    inside = bnp.tanh(x @ (params["inner"] * inner_mask) + params["inner_bias"])
    return inside @ (params["outer"] * outer_mask) + params["outer_bias"]

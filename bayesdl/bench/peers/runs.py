"""What every sampling script of this folder does alike: its request, its clock, its reply."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


class Run:
    """A request to sample, and what is reported of it.

    Seconds are counted from the moment at which the process was asked for.
    """

    def __init__(self) -> None:
        asked = json.loads(Path(sys.argv[1]).read_text())
        self.case: str = asked["case"]
        self.draws, self.tune, self.chains = asked["draws"], asked["tune"], asked["chains"]
        self.seed, self.dim, self.depth = asked["seed"], asked["dim"], asked["depth"]
        self.metric: str = asked["metric"]
        self.summarise: bool = asked["summarise"]
        self.wants_draws: bool = asked["keep"]
        self.started: float = asked["started"]
        with np.load(asked["arrays"]) as stored:
            self.data = [stored[f"data{i}"] for i in range(len(stored.files))]
        self.found: dict[str, Any] = {}

    def seconds(self) -> float:
        """Since the process was asked for."""
        return time.time() - self.started

    def sampled(
        self, sampling: float, gradients: int | None, warmup_gradients: int | None = None
    ) -> None:
        """Sampling has ended.

        Parameters
        ----------
        sampling : float
            Seconds of warm-up and draws, without compilation.
        gradients, warmup_gradients : int or None
            Of the draws, and before them.
        """
        known = gradients is not None and warmup_gradients is not None
        self.found |= {
            "all_gradients": gradients + warmup_gradients if known else None,
            "before_seconds": self.seconds() - sampling,
            "sampling_seconds": sampling,
            "gradients": gradients,
        }

    def phases(self, **seconds: float) -> None:
        """What a library tells of the seconds so far, in order."""
        self.found["phases"] = seconds

    def summarised(self, mean: Any, sd: Any, rhat: Any, ess: Any) -> None:
        """The library's own summary numbers are there."""
        self.found |= {
            "mean": np.ravel(mean).tolist(),
            "sd": np.ravel(sd).tolist(),
            "largest_rhat": float(np.max(rhat)),
            "smallest_ess": float(np.min(ess)),
            "summary_seconds": self.seconds(),
        }

    def keep(self, positions: Any) -> None:
        """Hand back unconstrained positions, shape (chains, draws, dim)."""
        self.found["positions"] = np.asarray(positions, dtype=float).tolist()

    def reply(self) -> None:
        """Report, and end."""
        Path(sys.argv[2]).write_text(json.dumps(self.found))

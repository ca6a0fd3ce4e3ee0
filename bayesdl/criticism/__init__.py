"""What a posterior is worth: convergence, scores, importance weights, tables and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesdl._base.lazy import lazily

from .convergence import (
    bfmi,
    ess_bulk,
    ess_mean,
    ess_quantile,
    ess_tail,
    mcse_mean,
    mcse_quantile,
    mcse_sd,
    rhat,
)
from .psis import psis
from .summary import SummaryTable, summary
from .table import Table
from .uncertainty import Uncertainty

# A fit needs what is above; the rest is loaded when it is first used.
if TYPE_CHECKING:
    from .calibration import Calibration, simulation_based_calibration
    from .classes import accuracy, brier, ece, nll
    from .joint import joint_distribution_test
    from .plots import plot_curve, plot_predictions
    from .scores import coverage, crps, interval_width, nlpd, pit, rmse
    from .uncertainty import decompose_entropy, decompose_variance
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "Calibration": "calibration",
            "simulation_based_calibration": "calibration",
            "accuracy": "classes",
            "brier": "classes",
            "ece": "classes",
            "nll": "classes",
            "joint_distribution_test": "joint",
            "plot_curve": "plots",
            "plot_predictions": "plots",
            "coverage": "scores",
            "crps": "scores",
            "interval_width": "scores",
            "nlpd": "scores",
            "pit": "scores",
            "rmse": "scores",
            "decompose_entropy": "uncertainty",
            "decompose_variance": "uncertainty",
        },
    )

__all__ = [
    "Calibration",
    "SummaryTable",
    "Table",
    "Uncertainty",
    "accuracy",
    "bfmi",
    "brier",
    "coverage",
    "crps",
    "decompose_entropy",
    "decompose_variance",
    "ece",
    "ess_bulk",
    "ess_mean",
    "ess_quantile",
    "ess_tail",
    "interval_width",
    "joint_distribution_test",
    "mcse_mean",
    "mcse_quantile",
    "mcse_sd",
    "nll",
    "nlpd",
    "pit",
    "plot_curve",
    "plot_predictions",
    "psis",
    "rhat",
    "rmse",
    "simulation_based_calibration",
    "summary",
]

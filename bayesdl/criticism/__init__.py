"""What a posterior is worth: convergence, scores, importance weights, tables and plots."""

from __future__ import annotations

from .calibration import Calibration, simulation_based_calibration
from .classes import accuracy, brier, ece, nll
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
from .joint import joint_distribution_test
from .plots import plot_curve, plot_predictions
from .psis import psis
from .scores import coverage, crps, interval_width, nlpd, pit, rmse
from .summary import SummaryTable, summary
from .table import Table

__all__ = [
    "Calibration",
    "SummaryTable",
    "Table",
    "accuracy",
    "bfmi",
    "brier",
    "coverage",
    "crps",
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

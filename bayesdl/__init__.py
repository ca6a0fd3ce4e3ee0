"""Bayesian deep learning and probabilistic programming."""

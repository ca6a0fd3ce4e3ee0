"""Markov chain Monte Carlo kernels; they know a density and never a model."""

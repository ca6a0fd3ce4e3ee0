"""Where the towers meet: kernels, the one loop that runs them, and fit."""

"""Models and comparisons with known answers."""

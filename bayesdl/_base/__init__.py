"""The floor below the floor: errors, source lines, switches, registries, trees. No arrays."""

"""The floor below the floor: errors, source lines, switches, registries and trees. Knows no arrays."""

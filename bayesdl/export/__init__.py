"""Results on their way out: ArviZ's schema, and files."""

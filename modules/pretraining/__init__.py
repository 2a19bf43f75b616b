"""Sources of initial weights, one per file."""

"""A user's own package, as far as the project can tell: tests name its modules in grid files."""

"""One file, one origin of initial weights."""

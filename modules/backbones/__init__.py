"""One file, one backbone."""

"""One file, one protocol: which pairs are compared."""

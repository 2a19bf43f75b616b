"""One file, one training recipe."""

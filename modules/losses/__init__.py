"""One file, one loss."""

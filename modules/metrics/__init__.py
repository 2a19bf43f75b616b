"""One file, one family of measurements."""

"""One file, one augmentation pipeline."""

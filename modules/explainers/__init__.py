"""One file, one explainer."""

"""What ``import facegrid`` offers: components, datasets, explainers and studies as plain Python objects."""

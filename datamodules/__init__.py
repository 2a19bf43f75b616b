"""Face images: datasets, detectors, augmentations, protocols, and their Lightning data module."""

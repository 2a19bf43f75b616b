"""Images of faces: datasets, detectors, augmentations, protocols, and the Lightning data module over them."""

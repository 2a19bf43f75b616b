"""One file, one decoder: feature map back to image."""

"""One file, one head: feature map to embedding."""

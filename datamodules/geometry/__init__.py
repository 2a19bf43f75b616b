"""Where a face lies in an image, and how it is cut out and brought into place."""

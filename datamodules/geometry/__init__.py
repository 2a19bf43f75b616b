"""Where a face lies in a picture, and how it is cut out and brought into place."""

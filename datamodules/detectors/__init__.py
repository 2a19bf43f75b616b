"""One file, one way to find and cut out the face."""

"""One file, one way to put images into batches."""

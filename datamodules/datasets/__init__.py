"""One file, one dataset; the file name is its name in a grid file."""

"""The contents of a grid file: config base classes, lookup of components by name, and the shipped grids."""

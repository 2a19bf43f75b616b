"""What a grid file may say: the base of every config, the lookup by name, and the shipped grids."""

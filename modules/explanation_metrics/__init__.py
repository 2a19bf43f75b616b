"""How good maps are: one score a file."""

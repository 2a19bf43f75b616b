"""The plan: every stage of a grid, its state and its cost."""

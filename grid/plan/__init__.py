"""The plan: every stage of a grid, with its state and cost."""

"""Training: the Lightning module and its components."""

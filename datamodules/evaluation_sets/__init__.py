"""Evaluation sets: pairs, templates, galleries, groups, and the lists that define them."""

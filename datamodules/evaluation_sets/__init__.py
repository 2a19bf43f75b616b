"""What is compared with what: pairs, templates, galleries, groups, and the lists that name them."""

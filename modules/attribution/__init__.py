"""What explainers and their scores are made of: targets, maps, masks, checks."""

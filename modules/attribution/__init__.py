"""Building blocks of explainers and their scores: targets, maps, masks, checks."""

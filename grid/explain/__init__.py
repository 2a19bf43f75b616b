"""``facegrid explain``: more explanations for a finished study, or for two image files under one network."""

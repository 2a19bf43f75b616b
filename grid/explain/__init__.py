"""``facegrid explain``: more explanations of a finished study, and two image files under one network."""

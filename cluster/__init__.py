"""What touches machines: resources, preflight, launcher files."""

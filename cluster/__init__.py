"""Machines: resources, preflight, launcher files."""

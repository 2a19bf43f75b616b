"""Execution: from a plan to finished stages."""

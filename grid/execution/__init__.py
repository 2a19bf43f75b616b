"""Execution: runs the stages of a plan."""

"""Exported networks: a folder with everything that is needed to use a trained network without its study."""

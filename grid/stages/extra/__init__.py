"""Stages that a grid file lists under ``stages``, one file each: the config, the kind and the computation."""

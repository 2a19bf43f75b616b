"""Judges finished networks: evaluates files from anywhere as cells of a grid."""

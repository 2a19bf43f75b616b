"""The grid file: YAML in, typed cells out."""

"""The grid file: reads YAML and resolves it to typed cells."""

"""The API of ``import facegrid``: components, datasets, explainers and studies as plain Python objects."""

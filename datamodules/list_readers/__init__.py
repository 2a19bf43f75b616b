"""Readers of the text files of datasets and protocols: pairs, names, tables, templates."""

"""Figures for papers: vector graphics of a study's results, also shown in the report."""

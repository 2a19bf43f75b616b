"""The results of a study: tables, explanations, trained models."""

"""MLflow tracking: copies from a study's ledger whatever MLflow lacks. Nothing else writes to MLflow."""

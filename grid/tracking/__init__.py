"""MLflow tracking: copies from a study's ledger what MLflow lacks. Nothing else writes to MLflow."""

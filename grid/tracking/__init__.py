"""The one writer to MLflow: what a study's ledger has and MLflow lacks."""

"""The study: spec, plan, cells, ledger, stages, launcher, MLflow sync, report."""

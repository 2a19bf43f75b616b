"""The study: spec, plan, cells, ledger, stages, launcher, mirror, report."""

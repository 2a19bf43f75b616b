"""The grid: spec, plan, ledger, execution, stages, evaluation, results, report, tracking."""

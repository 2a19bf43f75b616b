"""One file, one stage: config and inputs to files in the ledger."""

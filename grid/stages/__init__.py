"""One file per stage: computes the files in the ledger from config and inputs."""

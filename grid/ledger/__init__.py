"""The ledger: what was computed, and whether it is valid."""

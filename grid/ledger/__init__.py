"""The ledger: records which stages were computed and whether their results are valid."""

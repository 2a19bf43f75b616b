"""The full content of a report as one JSON value."""

from __future__ import annotations

from typing import Any

from grid.ledger.environments import environments
from grid.ledger.study import Study
from grid.results.combinations import combined
from grid.results.rows import Row, Table
from grid.spec.levels import REPLICATE, other_levels


def table_json(study: Study, table: Table) -> dict[str, Any]:
    """Cells in the order of the plan, with all their metrics; fractions from 0 to 1."""
    record, printed = study.record, combined(table)
    return {
        "study": study.name,
        "id": study.id,
        "version": record.get("version"),
        "revision": record.get("revision"),
        "launched": record.get("launched"),
        "sources": study.sources,
        "environments": environments(marker for row in table.rows for marker in row.markers.values()),
        "axes": study.axes,
        "replicates": record["replicates"],
        "replicate_scope": record["replicate_scope"],
        "whole": table.whole,
        "counts": table.counts,
        "hidden": table.hidden,
        "cells": [
            {
                "id": row.cell.id,
                "levels": dict(row.cell.levels),
                "state": row.state,
                "reason": row.reason,
                "lost": dict(row.lost),
                "stages": dict(row.cell.stages),
                "attempts": dict(row.cell.attempts),
                "metrics": {protocol: dict(found) for protocol, found in row.metrics.items()},
                "facts": {label: dict(marker.facts) for label, marker in row.markers.items()},
            }
            for row in table.rows
        ],
        "combinations": [_combination(row, printed) for row in printed.rows] if printed.replicated else [],
        "ensembles": [
            {
                "levels": dict(row.cell.levels),
                "reason": row.reason,
                "metrics": {key: dict(found) for key, found in row.metrics.items()},
            }
            for row in table.ensembles
        ],
    }


NUMBERS = ("value", "low", "high", "seeds_low", "seeds_high", "replicates", "reason")


def _combination(row: Row, table: Table) -> dict[str, Any]:
    """Means over the replicates of one combination of levels; see ``combinations.mean_result``."""
    found: dict[str, dict[str, Any]] = {}
    for column in table.every_column:
        if value := row.value(column):
            found.setdefault(column.protocol, {})[column.key] = {name: getattr(value, name) for name in NUMBERS}
    levels = other_levels(row.cell.levels)
    return {"levels": levels, "replicates": row.cell.levels[REPLICATE], "state": row.state, "metrics": found}

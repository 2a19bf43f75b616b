"""The record of a study, plan.json: its cells and how it was launched, independent of a single command's plan."""

from __future__ import annotations

import logging
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grid.ledger.added_explanations import carried
from grid.ledger.study import read_record, write_record
from grid.ledger.study_identity import home_of
from grid.ledger.study_store import store_entry
from grid.plan.design_lines import design_lines
from grid.plan.plan import Plan, store_of
from grid.secrets import masked
from grid.spec.grid_file import BadInput, Grid
from grid.version import VERSION


def write_plan(plan: Plan, grid: Grid) -> dict[str, Any]:
    """Stores plan.json in the study. A plan of some cells keeps what is known of the others."""
    plan.study.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(plan.study)
    whole = plan.whole()
    record = whole.record()
    for cell, planned in zip(record["cells"], whole.cells, strict=True):
        cell["config"] = planned.cell.model_dump(mode="json") if planned.cell else {}
    record = carried(merged(record, earlier), earlier)
    record |= {
        "design": design_lines(whole),
        "negligible": grid.spec.design.negligible,
        "sources": [source.model_dump(mode="json") for source in grid.spec.sources],
        "study_id": earlier["study_id"] if earlier else uuid.uuid4().hex,
        "home": home_of(plan.study),
        **store_entry(plan.study, store_of(grid), (earlier or {}).get("store_id")),
        "tracking": masked(grid.spec.launch.tracking) if grid.spec.launch.tracking else None,
        **_computed(plan, earlier),
        "grid_file": str(grid.yaml_source.path.absolute()),
        "launch": grid.spec.launch.model_dump(mode="json", exclude={"study", "store", "tracking", "address", "notify"}),
    }
    write_record(plan.study, record)
    return record


def _computed(plan: Plan, earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """When, and with which code version, something was last computed: now, unless this launch has nothing to compute."""
    if earlier and not plan.open and "launched" in earlier:
        return {key: earlier.get(key) for key in ("revision", "version", "launched")}
    return {"revision": revision(), "version": VERSION, "launched": time.time()}


def _earlier(study: Path) -> dict[str, Any] | None:
    try:
        return read_record(study)
    except BadInput as error:
        logging.getLogger("facegrid").warning("%s", error)
        return None


def revision() -> str:
    """The checkout's git revision, with a trailing + if files differ from it; empty outside a checkout."""

    def git(*words: str) -> str:
        here = Path(__file__).resolve().parent
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def merged(record: dict[str, Any], earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """The record that a study keeps: cells of the ``earlier`` record that were removed from the grid stay, under ``hidden``.

    Earlier stages stay as well, and the times of pruned ones: what was spent on them counts.
    """
    if not earlier:
        return {**record, "hidden": [], "pruned": []}
    here = {cell["id"] for cell in record["cells"]}
    known = {stage["id"] for stage in record["stages"]}
    left = [cell for cell in [*earlier["cells"], *earlier["hidden"]] if cell["id"] and cell["id"] not in here]
    stages = [*record["stages"], *(stage for stage in earlier["stages"] if stage["id"] not in known)]
    names = {**earlier.get("names", {}), **record["names"]}
    return {**record, "names": names, "stages": stages, "hidden": left, "pruned": earlier.get("pruned", [])}

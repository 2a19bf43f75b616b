"""The status of a study, read from its plan and the ledger only, in well under a second."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from grid.ledger.environments import devices_of, environments, mixed_devices
from grid.ledger.study import CellView, Study, accepted_of
from grid.ledger.workers import worker_alive
from grid.results.fitting_table import FittingTable
from grid.results.running import Running, launch_of, running
from grid.results.searches import searches
from grid.results.spending import Spending, SpendingReader, spending_words
from grid.results.spending_stop import stop_of
from grid.spec.grid_file import BadInput
from grid.spec.levels import cells_title
from grid.spec.measure import CROSS_VALIDATED_TITLE
from grid.spec.stage_name import SHOWN_ID
from grid.terminal import command, counted, one_line

COLORS = {"done": "green", "running": "cyan", "run": "yellow", "failed": "bold red", "blocked": "yellow", "skipped": "dim"}
WORDS = {"run": "to run"}


def status(study: Study) -> dict[str, Any]:
    """The JSON form: the output of ``status --json``. Hidden cells are omitted.

    ``error`` is set if a cell failed, is blocked, or has damaged outputs (checked by size only), and if an explanation added to
    the study failed, which does not change the state. ``running`` lists the stages that a launch is computing now; a cell with
    any of them is ``running``. ``launch`` is that launch, or None. ``environments`` lists the devices and library versions of
    the results, with the number of stages of each. ``spent`` has the hours and the money that all attempts took so far.
    ``stopped`` says which limit of spending ended the last launch or worker; None: none did, one is alive, or nothing is left.

    Raises:
        BadInput: ``mlflow.json`` is damaged.
    """
    cells = []
    launch = launch_of(study)
    parts: dict[str, int | None] = {}
    for cell in study.shown:
        state, error = _state(cell)
        at_work = running(study, cell, parts=parts)
        cells.append(
            {
                "id": cell.id,
                "levels": dict(cell.levels),
                "state": "running" if at_work and state == "run" else state,
                "running": [dataclasses.asdict(one) for one in at_work],
                "metrics": cell.metrics,
                "attempts": dict(cell.attempts),
                "error": error,
            }
        )
    stop = None if launch else stop_of(study)
    where = environments(marker for cell in study.shown for marker in cell.markers.values())
    return {
        "study": study.name, "launch": launch, "cells": cells, "mlflow": _sync(study), "accepted": accepted_of(study.shown),
        "environments": where, "spent": dataclasses.asdict(SpendingReader(study).spent()),
        "stopped": stop and {**dataclasses.asdict(stop), "text": stop.text},
    }  # fmt: skip


def _state(cell: CellView) -> tuple[str, str | None]:
    for label, damage in cell.damage.items():
        if label not in cell.added and cell.state in ("done", "run"):  # no launch recomputes an added one
            return "run", f"{label}: {damage}"
    lost = "; ".join(f"added, and failed: {label}: {why}" for label, why in cell.lost.items())
    return cell.state, cell.reason if cell.state in ("failed", "blocked") else lost or None


def _running_lines(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line per running stage."""
    owners: dict[str, list[Mapping[str, str]]] = {}
    stages: dict[str, Running] = {}
    for cell in cells:
        for one in cell["running"]:
            stages[one["id"]] = Running(**one)
            owners.setdefault(one["id"], []).append(cell["levels"])
    return [f"running: {cells_title(owners[id])}: {stage.text}" for id, stage in stages.items()]


def _sync(study: Study) -> dict[str, Any]:
    path = study.path / "mlflow.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        runs, copied = dict(found["runs"]), dict(found["copied"]) if "copied" in found else None  # of an earlier version
        return {"experiment": found["experiment"], "runs": runs, "copied": copied}
    except FileNotFoundError:
        return {"experiment": None, "runs": {}, "copied": {}}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: damaged ({error!r}); `{command('facegrid', 'sync', study.path)}` writes it again") from error


def show(study: Study) -> FittingTable:
    """The status for a terminal."""
    found = status(study)
    states = [cell["state"] for cell in found["cells"]]
    counts = ", ".join(f"{states.count(state)} {WORDS.get(state, state)}" for state in COLORS if state in states)
    hidden = len(study.cells) - len(study.shown)
    lines = [counts + (f"; {hidden} left the grid file" if hidden else "")]
    runs, copied = found["mlflow"]["runs"], found["mlflow"]["copied"]
    running_now = found["launch"] or "running" in states or worker_alive(study.path)  # it copies at its end
    pairs = list(zip(found["cells"], study.shown, strict=True))
    ended = [view for cell, view in pairs if cell["state"] in ("done", "failed")]
    lacking = [view for view in ended if view.id not in runs or (copied is not None and copied.get(view.id) != view.state)]
    if found["mlflow"]["experiment"] is not None or (lacking and not running_now):
        lines[0] += f"; {counted(sum(view.id in runs for view in study.shown), 'run')} in MLflow"
    if lacking and not running_now:
        lines[0] += f", {len(lacking)} missing or incomplete there: `{command('facegrid', 'sync', study.path)}`"
    out = Table(title=Text(study.name), caption_justify="left", box=None, pad_edge=False)
    out.add_column("Cell", no_wrap=True)
    for axis in study.axes:
        out.add_column(Text(axis), overflow="fold")
    for name in ("State", "Stages", "Attempts"):
        out.add_column(name, justify="left" if name == "State" else "right", no_wrap=True)
    out.add_column(CROSS_VALIDATED_TITLE.replace(" ", "\n", 1), justify="right", no_wrap=True)
    if launch := found["launch"]:
        since = time.strftime("%H:%M", time.localtime(launch["since"])) if launch["since"] else "an unknown time"
        lines.append(f"{launch['purpose']} is alive: {launch['user']}@{launch['host']}, process {launch['pid']}, since {since}")
        lines += _running_lines(found["cells"])
    for cell, view in pairs:
        accuracy = [f"{facts['ten_fold'] * 100:.2f} %" for facts in cell["metrics"].values() if "ten_fold" in facts]
        if reason := cell["error"] or (view.reason if cell["state"] == "skipped" else None):
            lines.append(one_line(f"{cell['state']}: {view.title}: {reason}"))
        out.add_row(
            (cell["id"] or "")[:SHOWN_ID],
            *(Text(cell["levels"].get(axis, "")) for axis in study.axes),
            Text(WORDS.get(cell["state"], cell["state"]), style=COLORS[cell["state"]]),
            f"{len(view.markers)}/{len(view.stages)}" if view.stages else "",
            str(max(cell["attempts"].values(), default="")),
            "\n".join(accuracy),
        )
    if (spent := Spending(**found["spent"])).attempts:
        lines.append(spending_words(spent))
    if found["stopped"]:
        lines.append(found["stopped"]["text"])
    lines += found["accepted"]
    lines += mixed_devices(devices_of(marker for view in study.shown for marker in view.markers.values()))
    lines += [search.text for search in searches(study)]
    if any(view.lost for view in study.shown):
        lines.append("run it again with `facegrid explain`, or remove it with --drop")
    out.caption = Text("\n".join(lines))
    return FittingTable(out)

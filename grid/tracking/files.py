"""The files of a cell's run, under names that are equal in every run, so that runs can be compared side by side."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grid.ledger.ledger import Failure, Ledger, Marker
from grid.ledger.study import finished
from grid.results import explanation_reader, heatmap
from grid.results.logs import stage_log
from grid.spec.stage_kind import TRAIN, StageName, known_kind
from grid.tracking.names import file_segment, safe, segment, stage_key
from grid.tracking.record import WEIGHTS, checkpoint_of

LARGEST = 20_000_000  # maximum size in bytes of a copied file
SIDE = 224  # minimum length of an image's longer side, in pixels
THUMBNAIL = 256  # pixels; loaded first by MLflow's image grid


def stage_files(ledger: Ledger, label: StageName, marker: Marker, folder: Path) -> dict[str, str]:
    """Puts the files of a finished stage under ``folder``; returns tags that describe them to MLflow's pages.

    Raises:
        Damaged: an output differs from its marker.
    """
    log_file(ledger, label, marker.id, folder)
    kind, stage = known_kind(label.kind), finished(ledger, label, marker)
    for name, place in kind.artifacts(stage).items():
        if name in marker.outputs and marker.outputs[name]["bytes"] <= LARGEST:
            shutil.copyfile(ledger.path(marker, name), _target(folder, place))
    for place, data in kind.figures(stage).items():
        _target(folder, place).write_bytes(data)
    if label == TRAIN and (weights := marker.outputs.get(WEIGHTS)):  # linked, never copied: the ledger keeps them
        text = f"{checkpoint_of(ledger, marker)}\nsha256 {weights['sha256']}\n"
        (folder / "checkpoint.txt").write_text(text, encoding="utf-8")
    tags = {safe(f"facegrid.{'.'.join(map(segment, name))}"): text for name, text in kind.tags(stage).items()}
    return {**tags, **_explanations(ledger, label, marker, folder)} if kind.maps else tags


def _explanations(ledger: Ledger, label: StageName, marker: Marker, folder: Path) -> dict[str, str]:
    """Images of the maps, with the colors and scales of the report's sheets."""
    from PIL import Image

    name = segment(label.about)
    own = folder / "explanations" / name
    one = explanation_reader.read(ledger, label.about, marker)
    if not one.names or "images.npy" not in marker.outputs:
        return {}
    crops = one.shown()
    grid = folder / "images"
    grid.mkdir(parents=True, exist_ok=True)
    for kind in one.names:
        maps = one.maps(kind)
        scale = one.scale(kind, maps)
        key = segment(f"{label.about} {explanation_reader.plain(kind)}".rstrip())
        for step, (image, crop, raw) in enumerate(zip(one.images, crops, maps, strict=True)):
            if image.get("pair") in one.refused_pairs:
                continue
            side = max(SIDE, *crop.shape[:2])
            plain = one.painted  # a generated image is shown unchanged
            tile = heatmap.tile(crop, None if plain else raw, scale, side)
            canvas = Image.fromarray(tile if plain else heatmap.footed(tile, scale))
            canvas.save(own / image_name(step, image, kind))
            # Names read by MLflow's image grid. Its client generates a random part; here it depends on the content,
            # so that writing twice writes the same file.
            token = uuid.uuid5(uuid.NAMESPACE_OID, f"{marker.content} {key} {step}")
            stem = f"{key}+step+{step}+timestamp+{round(marker.finished * 1000)}+{token}"
            canvas.save(grid / f"{stem}.png")
            canvas.thumbnail((THUMBNAIL, THUMBNAIL))
            canvas.save(grid / f"{stem}+compressed.webp")
    return {"mlflow.loggedImages": "True"}


def image_name(step: int, image: Mapping[str, Any], kind: str) -> str:
    """``03.png``, or ``pair-03-genuine-left.png``, with the map's name if the method makes several: equal in every run."""
    stem = f"{step:02d}"
    if image.get("pair") is not None:
        stem = f"pair-{image['pair']:02d}-{'genuine' if image['same'] else 'impostor'}-{image['side']}"
    return f"{stem}-{segment(explanation_reader.plain(kind)).replace(' ', '-')}.png" if kind else f"{stem}.png"


def log_file(ledger: Ledger, label: StageName, id: str, folder: Path) -> None:
    """What happened to a stage, one JSON object per line: those of ``facegrid logs --json`` without cell, stage and id."""
    lines = [f"{json.dumps(row, sort_keys=True)}\n" for row in stage_log(ledger, label.kind, id)]
    _in_folder(folder / "logs" / f"{stage_key(label)}.jsonl").write_text("".join(lines), encoding="utf-8")


def failure_file(ledger: Ledger, label: StageName, id: str, failure: Failure, folder: Path) -> None:
    """The traceback, named by its attempt, so that a later success does not hide it, and the stage's log."""
    log_file(ledger, label, id, folder)
    path = folder / "failures" / f"{stage_key(label)}-{failure.attempt:06d}.txt"
    _in_folder(path).write_text(failure.traceback or failure.error, encoding="utf-8")


def report_files(report: Path, folder: Path) -> dict[str, str]:
    """Puts a report under ``folder``, its table also in MLflow's format; returns tags like ``stage_files``."""
    shutil.copytree(report, folder / "report", dirs_exist_ok=True)
    table = report / "table.csv"
    if not table.is_file():
        return {}
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return table_file(folder, "table.json", rows[0], rows[1:]) if rows else {}


def table_file(folder: Path, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, str]:
    """Writes a table in MLflow's format; returns the tag by which its pages show it."""
    (folder / name).write_text(json.dumps({"columns": columns, "data": rows}, indent=1), encoding="utf-8")
    return {"mlflow.loggedArtifacts": json.dumps([{"path": name, "type": "table"}])}


def _target(folder: Path, place: Sequence[str]) -> Path:
    """The path of a file of a run, from its parts; its folder is made."""
    return _in_folder(folder.joinpath(*map(segment, place[:-1]), file_segment(place[-1])))


def _in_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path

"""The files of a cell's run, under names that are equal in every run, so that two runs compare side by side."""

from __future__ import annotations

import csv
import json
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grid.ledger import Failure, Ledger, Marker
from grid.mirror_record import checkpoint_of

if TYPE_CHECKING:
    import numpy as np

THUMBNAIL = 256  # pixels; what MLflow's own image grid loads first


def stage_files(ledger: Ledger, label: str, marker: Marker, folder: Path) -> dict[str, str]:
    """Puts the files of a finished stage under ``folder``; returns tags that tell MLflow's pages of them.

    Raises:
        Damaged: an output is not what its marker says.
    """
    kind, _, title = label.partition(":")
    name = file_name(title)
    if kind == "train":
        _copy(ledger, marker, "history.json", folder / "history.json")
        weights = marker.outputs.get("model.safetensors")
        if weights:  # linked, never copied: it is large and the ledger keeps it
            (folder / "checkpoint.txt").write_text(f"{checkpoint_of(ledger, marker)}\nsha256 {weights['sha256']}\n")
    elif kind == "pretrain":
        _copy(ledger, marker, "history.json", folder / "pretrain" / "history.json")
    elif kind == "evaluate":
        if "scores.parquet" in marker.outputs:
            _copy(ledger, marker, "scores.parquet", folder / "scores" / f"{name}.parquet")
        _copy(ledger, marker, "metrics.json", folder / "metrics" / f"{name}.json")
    elif kind == "explain":
        return _explanations(ledger, marker, name, folder)
    elif kind == "score":
        return _score(ledger, marker, title, folder)
    return {}


def _score(ledger: Ledger, marker: Marker, title: str, folder: Path) -> dict[str, str]:
    """``explanations/<method>/<score>.json``; warnings and refusals become tags."""
    method, _, score = title.rpartition(":")
    _copy(ledger, marker, "score.json", folder / "explanations" / file_name(method) / f"{file_name(score)}.json")
    result = ledger.json(marker, "score.json")
    name = f"{file_name(method)}.{file_name(score)}"
    if refused := result.get("refused"):
        return {f"facegrid.refused.{name}": f"{refused['code']}: {refused['reason']}"}
    if "stamps" not in result:
        return {}
    several = len(result["stamps"]) > 1
    told = [
        f"{one}: {', '.join(stamps)}" if several else ", ".join(stamps) for one, stamps in result["stamps"].items() if stamps
    ]
    return {f"facegrid.stamps.{name}": "; ".join(told) or "passed"}


def _explanations(ledger: Ledger, marker: Marker, name: str, folder: Path) -> dict[str, str]:
    import numpy as np
    from PIL import Image

    own = folder / "explanations" / name
    _copy(ledger, marker, "manifest.json", own / "manifest.json")
    manifest = ledger.json(marker, "manifest.json")
    if "refused" in manifest:
        return {f"facegrid.refused.{name}": str(manifest["refused"].get("reason", ""))}
    if "maps.npy" not in marker.outputs:
        return {}
    for file in marker.outputs:
        if file.startswith(("maps", "pictures")):
            _copy(ledger, marker, file, own / file)
    if "images.npy" not in marker.outputs:
        return {}
    images, maps = np.load(ledger.path(marker, "images.npy")), np.load(ledger.path(marker, "maps.npy"))
    grid = folder / "images"
    grid.mkdir(parents=True, exist_ok=True)
    for step, (image, attribution) in enumerate(zip(images, maps, strict=True)):
        picture = Image.fromarray(overlay(image, attribution))
        picture.save(own / f"{step:02d}.png")
        # The names that MLflow's image grid reads. Its client makes up a random part; here it follows from the content,
        # so that writing twice writes the same file.
        token = uuid.uuid5(uuid.NAMESPACE_OID, f"{marker.content} {name} {step}")
        stem = f"{name}+step+{step}+timestamp+{round(marker.finished * 1000)}+{token}"
        picture.save(grid / f"{stem}.png")
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        picture.save(grid / f"{stem}+compressed.webp")
    return {"mlflow.loggedImages": "True"}


def overlay(image: np.ndarray, attribution: np.ndarray) -> np.ndarray:
    """A map laid over its image: (S, S, 3) uint8 and (h, w) float to (S, S, 3) uint8.

    The map is enlarged bilinearly and scaled by its largest magnitude; where it is zero the image stays as it is. Positive
    values go from blue to red; where a map has negative values, positive ones are red and negative ones blue.
    """
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    values = cv2.resize(np.nan_to_num(attribution.astype(np.float32)), (width, height), interpolation=cv2.INTER_LINEAR)
    peak = float(np.abs(values).max())
    scaled = values / peak if peak > 0 else values
    if scaled.min() < 0:
        colour = np.where(scaled[..., None] >= 0, np.array([220, 30, 30]), np.array([30, 60, 220])).astype(np.float32)
    else:
        turbo = cv2.applyColorMap((scaled * 255).round().astype(np.uint8), cv2.COLORMAP_TURBO)
        colour = cv2.cvtColor(turbo, cv2.COLOR_BGR2RGB).astype(np.float32)
    weight = 0.7 * np.abs(scaled)[..., None]
    mixed: np.ndarray = np.clip(image * (1 - weight) + colour * weight, 0, 255).round().astype(np.uint8)
    return mixed


def failure_file(label: str, failure: Failure, folder: Path) -> None:
    """The traceback, named by its attempt: a later success does not hide that it happened."""
    path = folder / "failures" / f"{file_name(label)}-{failure.attempt:06d}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(failure.traceback or failure.error)


def report_files(report: Path, folder: Path) -> dict[str, str]:
    """Puts a report under ``folder``, its table also in the form that MLflow shows; returns tags as ``stage_files``."""
    shutil.copytree(report, folder / "report", dirs_exist_ok=True)
    if not (report / "table.csv").is_file():
        return {}
    with open(report / "table.csv", newline="", encoding="utf-8") as file:
        rows: Sequence[Any] = list(csv.reader(file))
    if not rows:
        return {}
    (folder / "table.json").write_text(json.dumps({"columns": rows[0], "data": rows[1:]}))
    return {"mlflow.loggedArtifacts": json.dumps([{"path": "table.json", "type": "table"}])}


def file_name(title: str) -> str:
    """A title as a file's name."""
    return re.sub(r"[^\w.\- ]", "_", title).strip(" .") or "_"


def _copy(ledger: Ledger, marker: Marker, name: str, target: Path) -> None:
    if name in marker.outputs:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ledger.path(marker, name), target)

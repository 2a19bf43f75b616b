"""Exports the trained network of a cell as a folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from configs.component import file_digest
from grid.execution.process_state import fresh_process_state
from grid.export.embedder import network_of
from grid.export.lineage import licenses, lineage
from grid.export.onnx_writer import write_onnx
from grid.export.package import FORMAT, ONNX, RECORD, WEIGHTS, Package
from grid.export.threshold import threshold_of
from grid.results.model_loader import Trained
from grid.spec.grid_file import BadInput
from modules.backbones.external import ExternalConfig
from modules.targets import TargetsConfig, head_of, objective

PARTS = ("backbone.", "head.")


def export(trained: Trained, to: Path, fmr: float, protocol: str | None) -> Package:
    """Writes ``model.safetensors``, ``model.onnx`` and ``facegrid.json`` into the new folder ``to``.

    The folder appears whole or not at all.

    Args:
        trained: a finished training
        to: must not exist, or be empty
        fmr: the false match rate of the threshold
        protocol: whose scores the threshold comes from, see ``threshold_of``

    Raises:
        BadInput: the folder exists or cannot be written, the network cannot be exported, or as ``threshold_of``.
    """
    training = trained.training
    if isinstance(training.backbone, ExternalConfig):
        raise BadInput(f"{trained.title}: its network is the file {training.backbone.path.name} already; use that file")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BadInput(f"--to {to}: exists already; choose a new folder")
    threshold = threshold_of(trained, fmr, protocol)
    try:
        to.absolute().parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.absolute().parent))
    except OSError as error:
        raise BadInput(f"--to {to}: cannot be written ({error.strerror})") from error
    try:
        with fresh_process_state({"training": training}):
            package = _write(trained, made, threshold)
        made.chmod(0o755)
        if to.exists():
            to.rmdir()
        os.replace(made, to)
    except ValueError as error:
        raise BadInput(f"{trained.title}: {error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return replace(package, folder=to)


def _write(trained: Trained, folder: Path, threshold: dict[str, Any]) -> Package:
    training = trained.training
    weights = {name: value for name, value in load_file(trained.path).items() if name.startswith(PARTS)}
    save_file({name: value.contiguous() for name, value in sorted(weights.items())}, folder / WEIGHTS)
    loss = objective(training)
    head = head_of(training.head, loss)
    parts: dict[str, Any] = {"backbone": training.backbone, "head": head, "detector": training.detector}
    record: dict[str, Any] = {
        "format": FORMAT,
        "title": trained.title,
        "network": {
            **{kind: part.model_dump(mode="json") for kind, part in parts.items()},
            "input": training.input.model_dump(mode="json"),
        },
        "embedding": {
            "dimension": int(head.dimension),
            "flip_test": bool(threshold["flip_test"]),
            "similarity": "cosine",
        },
        "targets": {"embedding": loss.primary, "left_out": list(loss.names)} if isinstance(loss, TargetsConfig) else None,
        "threshold": {key: value for key, value in threshold.items() if key != "flip_test"},
        "lineage": lineage(trained),
        "licenses": licenses(trained),
    }
    package = Package(folder, record, **parts, input=training.input)
    height, width = package.size
    record["preprocessing"] = {
        "color_order": "RGB",
        "mean": 127.5,
        "std": 127.5,
        "height": height,
        "width": width,
        "layout": "NCHW",
        "faces": f"detector {parts['detector'].name}, as in network.detector",
    }
    record["onnx"] = write_onnx(network_of(package), package.size, folder / ONNX)
    record["files"] = {name: file_digest(folder / name) for name in (WEIGHTS, ONNX)}
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return package

"""The record of an exported network, ``facegrid.json``, and the check of the files beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.component import file_digest
from configs.lookup import lookup, resolve
from grid.spec.config_errors import complaint
from grid.spec.grid_file import BadInput
from grid.spec.training import Input

RECORD, WEIGHTS, ONNX = "facegrid.json", "model.safetensors", "model.onnx"
FORMAT = 1


@dataclass(frozen=True)
class Package:
    """An exported network.

    Attributes:
        folder: where it lies
        record: the content of ``facegrid.json``
        backbone, head, detector: their configs
        input: size of the face crops
    """

    folder: Path
    record: Mapping[str, Any]
    backbone: Any
    head: Any
    detector: Any
    input: Input

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the face crops in pixels."""
        pixels = self.input.pixels
        return (pixels, pixels) if isinstance(pixels, int) else pixels

    @property
    def flip_test(self) -> bool:
        """Whether the embedding of the mirror image is added, as where the threshold was measured."""
        return bool(self.record["embedding"]["flip_test"])

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS


def is_package(folder: Path) -> bool:
    return (folder / RECORD).is_file()


def read_package(folder: Path) -> Package:
    """Reads an exported network and checks the digests of its files.

    Raises:
        BadInput: no exported network, of another format, damaged, changed since, or without its own component's module.
    """
    path = folder / RECORD
    if not path.is_file():
        raise BadInput(f"{folder}: no exported network (it has no {RECORD}); `facegrid export STUDY --to {folder}` makes one")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise BadInput(f"{path}: format {record['format']!r}; this version of facegrid reads format {FORMAT}")
        parts = {kind: _component(path, kind, record) for kind in ("backbone", "head", "detector")}
        package = Package(folder, record, **parts, input=Input.model_validate(record["network"]["input"]))
        digests = dict(record["files"])
        _ = package.flip_test
    except BadInput:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise BadInput(f"{path}: damaged ({type(error).__name__}: {why}); export the network again") from error
    for name, digest in digests.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise BadInput(f"{path}: names the file {name!r}, which is not beside it; export the network again")
        if file_digest(file) != digest:
            raise BadInput(f"{file}: not the file that was exported (its SHA-256 differs); export the network again")
    return package


def _component(path: Path, kind: str, record: Mapping[str, Any]) -> Any:
    """One of its configs. A module that is not installed here, or whose config has changed since, is no damage."""
    value = record["network"][kind]
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        try:
            config = lookup(kind, value["name"])
        except ValueError as error:
            raise BadInput(f"{path}: {error}") from error
        try:
            return resolve(kind, value)
        except ValidationError as error:
            made = record.get("lineage") or {}
            raise BadInput(
                f"{path}: network.{kind}: {complaint(error, config)}; the config of {value['name']} has changed since the "
                f"export: export the network again, or use the code that exported it (facegrid {made.get('facegrid')}, "
                f"revision {made.get('revision')})"
            ) from error
    return resolve(kind, value)

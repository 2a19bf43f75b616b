"""The context of a running stage: its inputs, settings and images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from configs.contract import ContractError, broken, check_files, is_json, naming, see
from configs.data_interfaces import Dataset, DatasetConfig, DetectorConfig
from datamodules.crops import CropTable, crops
from datamodules.detection import Detections
from datamodules.geometry.cutting import Size
from datamodules.split import rows_of
from grid.ledger.ledger import Attempt, Marker
from grid.ledger.reader import LedgerReader
from grid.plan.code_version import source_digest
from grid.plan.inputs import InputResolver
from grid.spec.measure import check_values
from grid.spec.stage_kind import RESULT
from grid.spec.stage_name import DETECT
from grid.stages.kinds.detect import lists_faces
from grid.stages.ranks import Helper, Team, no_helpers

PAGE = "stage"  # of docs/extending
FAST_SUBJECTS, FAST_IMAGES, FAST_PAIRS = 4, 8, 40  # sample sizes of ``debug --fast``
FAST_EXPLAINED = 4  # pairs that each explainer explains there, and pairs to tune it on


@dataclass
class Context:
    """The context of one attempt. Nothing in it affects results, except ``fast``."""

    ledger: LedgerReader
    attempt: Attempt
    resolver: InputResolver
    inputs: Mapping[str, Marker]  # the upstream stages, by the names that the kind gave them, see ``Graph.add``
    detected: Sequence[Marker] = ()  # all upstream detections: an explanation may use two datasets
    accelerator: str = "cpu"  # "cpu" or "gpu"
    workers: int = 0  # loader processes
    measures_loader: bool = False  # a training chooses another number of them by measuring, where it can
    cpus: float | None = None  # that are reserved for this unit of work; None: not known
    crop_cache_bytes: int = 8 << 30
    checkpoint_minutes: float = 10.0
    devices: int = 1  # that share each batch of a training
    report: Callable[[dict[str, Any]], None] = lambda row: None  # live progress
    leaving: Callable[[], bool] | None = None  # whether a training is to end at a checkpoint, to go on with more devices
    memory_probe: Callable[[], None] | None = None  # called after a few steps of a training, which then ends and saves nothing
    fast: bool = False  # a quick check: one training batch, a few images and pairs
    host: Callable[[], str] = lambda: "127.0.0.1"  # the address of this process for the other ranks of a training
    start_helpers: Callable[[Sequence[Helper]], Team] = no_helpers  # starts the other ranks of a training
    helper: Helper | None = None  # set in these: they write nothing

    @property
    def device(self) -> str:
        return "cuda" if self.accelerator == "gpu" else "cpu"


def write_json(path: Path, value: Any) -> None:
    """Writes a file of a stage."""
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


@dataclass(frozen=True)
class Result:
    """The result of a stage: small facts, and the files in the attempt's folder to keep."""

    facts: Mapping[str, Any]
    outputs: tuple[str, ...]


def checked_result(found: Any, kind: str, folder: Path) -> Result:
    """What ``run`` of a stage kind returned, after checking it.

    Args:
        folder: of the attempt, where the files must be

    Raises:
        ContractError: it is no ``Result``, its facts are no JSON values, a file is missing, or ``result.json`` is no mapping.
    """
    with naming("stage", kind):
        if not isinstance(found, Result):
            raise broken("run returned", found, "a Result of grid.stages.context: Result(facts, files)", PAGE)
        if not isinstance(found.facts, Mapping) or not is_json(dict(found.facts), finite=False):
            expected = "a dict of JSON values (convert numpy numbers by float())"
            raise broken("Result.facts is", found.facts, expected, PAGE)
        check_files("Result.outputs", found.outputs, folder, "result.json", "run wrote into context.attempt.path", PAGE)
        if RESULT in found.outputs:
            _check_numbers(folder / RESULT)
        return found


def _check_numbers(path: Path) -> None:
    """Raises ContractError unless the file holds a mapping whose entries have numbers as ``value``, as tables show them."""
    expected = "a JSON object such as {'accuracy': {'value': 0.5}}"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ContractError(f"{path.name} is not JSON ({error}); expected {expected}; {see(PAGE)}") from error
    if not isinstance(result, Mapping):
        raise broken(f"{path.name} is", result, expected, PAGE)
    check_values(result, f"{path.name}: the value of", "a number, or null", PAGE)


@dataclass(frozen=True)
class Faces:
    """The crops of a dataset: one row per row of the manifest; ``crops.kept`` lists the rows whose face may be used.

    ``family(bits)`` is the family of each row, int64 (N,): images of one subject, and near duplicates whose hashes differ by at
    most that many bits (see ``datamodules.families``).
    """

    manifest: Any
    crops: CropTable
    identities: tuple[str, ...] = field(repr=False)
    family: Callable[[int], np.ndarray] = field(repr=False, default=lambda bits: np.zeros(0, np.int64))


def faces_of(context: Context, data: DatasetConfig, detector: DetectorConfig, size: Size, rows: Any = None) -> Faces:
    """The crops of ``data`` from ``detector``, each of that size; with ``rows``, only of those rows."""
    manifest = context.resolver.manifest(data)
    if rows is not None or context.fast:
        manifest = manifest.subset(fast_rows(manifest) if rows is None else rows)
    dataset = data.build(manifest)
    detections = detections_of(context, data, dataset, detector)
    folder = context.ledger.store.cache_folder("crops")
    code = source_digest(DETECT, [data, detector])  # of the dataset, of its transforms, and of what cuts the faces out
    table = crops(dataset, detections, detector, size, folder, context.crop_cache_bytes, code=code)
    return Faces(manifest, table, tuple(manifest.identities), partial(_family, context, data, manifest))


def _family(context: Context, data: DatasetConfig, manifest: Any, bits: int) -> np.ndarray:
    """The family of each row of a manifest, which may be a part of the dataset's."""
    whole = context.resolver.manifest(data)
    place = {key: row for row, key in enumerate(whole.keys)}
    return context.resolver.families(data, bits)[[place[key] for key in manifest.keys]]


def detections_of(context: Context, data: DatasetConfig, dataset: Dataset, detector: DetectorConfig) -> Detections:
    """The detected faces of ``dataset``, which ``data`` built: those of an upstream stage.

    A quick check may need images that its detect stage left out. It detects them, or reads them from the dataset's own list.

    Raises:
        ValueError: no upstream stage has these images, and this is no quick check.
    """
    manifest = dataset.manifest
    if detector.trivial:
        return detector.build().of_manifest(manifest)
    for table in (Detections.load(context.ledger.path(marker, "detections.parquet")) for marker in context.detected):
        if table.index.keys() >= set(manifest.keys):
            return table
    if not context.fast:
        raise ValueError(
            f"no detection for the image {manifest.keys[0]} and others; run the detect stage on this dataset again"
        )
    if lists_faces(data, detector):
        return cast(Detections, data.detections(manifest))  # type: ignore[attr-defined]
    rows = detector.build(context.device).detect([dataset.image(row) for row in range(len(manifest.keys))])
    return Detections.of(manifest.keys, rows)


def fast_rows(manifest: Any) -> list[int]:
    """A few images of a few subjects, for a quick check; where each subject has one image, as many from the whole list."""
    rows = rows_of(manifest.identities)
    count = len(manifest.identities)
    if len(rows) == count:
        few = min(count, FAST_SUBJECTS * FAST_IMAGES)
        return [place * count // few for place in range(few)]
    subjects = sorted(rows, key=lambda subject: (-min(len(rows[subject]), FAST_IMAGES), rows[subject][0]))[:FAST_SUBJECTS]
    return sorted(row for subject in subjects for row in rows[subject][:FAST_IMAGES])

"""Studied images: held out, in an order of their own, and of different subjects where possible."""

from pathlib import Path

import numpy as np

from datamodules.crops import CropTable
from grid.spec.cell import Cell
from grid.stages.context import Faces
from grid.stages.held_out import of_different_subjects, studied
from grid.stages.labels import rows_of


def faces(cell: Cell) -> Faces:
    manifest = cell.data.manifest(Path())  # type: ignore[attr-defined]
    table = CropTable(np.zeros((len(manifest.keys), 4, 4, 3), np.uint8), 4, np.arange(len(manifest.keys)), 0)  # type: ignore[arg-type]
    return Faces(manifest, table, tuple(manifest.identities))


def cell(fraction: float) -> Cell:
    data = {"name": "drawn", "subjects": 6, "shots": 4}
    return Cell.model_validate({"data": data, "backbone": "alexnet", "split": {"fraction": fraction}})


def test_only_held_out_images_are_studied() -> None:
    training = cell(0.5).training()
    found = studied(faces(cell(0.5)), training, 100)
    assert found.held_out
    assert sorted(found.rows.tolist()) == rows_of(faces(cell(0.5)), training)[1].tolist()
    assert found.rows.tolist() != sorted(found.rows.tolist())
    assert studied(faces(cell(0.5)), training, 5).rows.tolist() == found.rows[:5].tolist()


def test_training_images_are_studied_and_said_to_be_if_none_is_held_out() -> None:
    found = studied(faces(cell(0)), cell(0).training(), 100)
    assert not found.held_out
    assert len(found.rows) == 24


def test_different_subjects_come_first() -> None:
    rows, identities = np.array([3, 1, 0, 2, 4]), ("a", "b", "b", "b", "c")
    assert of_different_subjects(rows, identities, 3) == [3, 0, 4]
    assert of_different_subjects(rows, identities, 4) == [3, 0, 4, 1]
    assert of_different_subjects(rows, identities, 9) == [3, 0, 4, 1, 2]

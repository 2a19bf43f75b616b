"""The face in the crops: cropped like the image, from the best source that there is."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from datamodules.detection import Detection, Detections
from grid.spec.cell import Cell
from grid.stages import face_regions as module
from grid.stages.face_regions import face_regions

ELLIPSE = (0.5, 0.5, 0.25, 0.5)
POINTS = ((60.0, 60.0), (100.0, 60.0), (80.0, 80.0), (65.0, 100.0), (95.0, 100.0))
CELL = Cell.model_validate({"data": {"name": "drawn", "subjects": 2, "shots": 2}, "backbone": "alexnet", "input": {"size": 80}})


class Photographs:
    """A dataset without masks."""

    def __init__(self, manifest: Any) -> None:
        self.manifest = manifest


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``face_regions`` of the first three drawn images; ``masks`` False hides their masks, ``found`` are the landmarks."""

    def call(source: Any = None, masks: bool = True, landmarks: Any = ((), (), ())) -> Any:
        training: Any = CELL.training()
        manifest = training.data.manifest(None)
        if not masks:
            training = SimpleNamespace(
                data=SimpleNamespace(name="photos", build=Photographs), detector=training.detector, input=training.input
            )
        box = (0.0, 0.0, 160.0, 160.0)
        rows = [Detection(True, box, 1.0, one) for one in landmarks]
        monkeypatch.setattr(module, "detections_of", lambda *given: Detections.of(manifest.keys[:3], rows))
        context: Any = SimpleNamespace(resolver=SimpleNamespace(manifest=lambda data: manifest))
        return face_regions(context, training, manifest.keys[:3], source, ELLIPSE)

    return call


def test_drawn_faces_know_their_region(regions: Any) -> None:
    found, source = regions()
    assert source == "mask"
    data: Any = CELL.data
    drawn = data.build(data.manifest(None))
    for row in range(3):
        truth = drawn.face(row)[::2, ::2]  # crops are half as large
        assert (found[row] != truth).mean() < 0.05
    assert not np.array_equal(found[0], found[1])


def test_landmarks_give_an_ellipse_in_the_crop_and_nothing_where_there_are_none(regions: Any) -> None:
    found, source = regions(masks=False, landmarks=(POINTS, (), POINTS))
    assert source == "landmarks"
    assert found[0, 30, 40]  # between the eyes, in a crop of half the size
    assert not found[0, 0, 0]
    assert found[0].sum() == pytest.approx(np.pi * 1.75 * 1.3 * 20 * 20, rel=0.1)
    assert not found[1].any()


def test_without_masks_and_landmarks_the_ellipse_is_fixed(regions: Any) -> None:
    found, source = regions(masks=False)
    assert source == "ellipse"
    assert found[0].sum() == pytest.approx(np.pi * 20 * 40, rel=0.02)
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize(
    ("source", "said"),
    [("mask", "dataset photos has no masks of faces; use landmarks or ellipse"), ("landmarks", "detector none finds none")],
)
def test_a_source_that_is_not_there_is_refused(regions: Any, source: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        regions(source, masks=False)

"""Faces and backgrounds: the ellipse against the true region of drawn faces, and what is filled."""

from pathlib import Path

import numpy as np
import pytest

from configs.lookup import resolve
from modules.latent.image_regions import filled, landmark_ellipse


def test_the_ellipse_covers_drawn_faces_by_the_stated_amount() -> None:
    data = resolve("data", {"name": "drawn", "subjects": 12, "shots": 2})
    manifest = data.manifest(Path())  # type: ignore[attr-defined]
    drawn = data.build(manifest)  # type: ignore[attr-defined]
    overlaps = []
    for row in range(len(manifest.keys)):
        eyes_and_mouth = []
        for part in ("left eye", "right eye", "mouth"):
            y, x = np.nonzero(drawn.region(row, part))
            eyes_and_mouth.append((x.mean(), y.mean()))
        left, right, mouth = eyes_and_mouth
        found = landmark_ellipse(np.array([left, right, (0, 0), mouth, mouth]), 160, 160)
        truth = drawn.face(row)
        overlaps.append((found & truth).sum() / (found | truth).sum())
    assert np.mean(overlaps) == pytest.approx(0.757, abs=0.005)
    assert min(overlaps) > 0.65


def test_the_ellipse_turns_with_the_face() -> None:
    upright = landmark_ellipse(np.array([(40, 40), (60, 40), (0, 0), (42, 60), (58, 60)], float), 100, 100)
    lying = landmark_ellipse(np.array([(40, 60), (40, 40), (0, 0), (60, 58), (60, 42)], float), 100, 100)
    rows, columns = np.nonzero(upright)
    assert np.ptp(rows) > np.ptp(columns)
    turned_rows, turned_columns = np.nonzero(lying)
    assert np.ptp(turned_columns) > np.ptp(turned_rows)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(39.5, abs=0.6)


def test_a_face_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the face has no size"):
        landmark_ellipse(np.full((5, 2), 7.0), 20, 20)


@pytest.mark.parametrize(("fill", "value"), [("gray", 128), ("black", 0), ("mean", 30)])
def test_only_the_region_is_filled(fill: str, value: int) -> None:
    images = np.full((2, 4, 4, 3), 30, np.uint8)
    images[:, :2] = 90
    region = np.zeros((2, 4, 4), bool)
    region[:, :2] = True
    found = filled(images, region, fill)  # type: ignore[arg-type]
    assert (found[:, :2] == value).all()
    assert (found[:, 2:] == 30).all()
    assert (images[:, :2] == 90).all()  # a copy

import numpy as np
import pytest

from datamodules.augmentations.erase_parts import ErasePartsConfig
from datamodules.geometry.parts import box_of, points_of

WHITE = np.full((112, 96, 3), 255, np.uint8)


def hidden(seed, **settings):
    """bool (112, 96)"""
    config = ErasePartsConfig(**({"probability": 1.0, "fill": "black", "jitter": 0.0} | settings))
    return (config.build()(WHITE, seed) == 0).all(axis=2)


def box(part, geometry="aligned"):
    x0, y0, x1, y1 = (round(edge) for edge in box_of(part, points_of(geometry, 112, 96)))
    found = np.zeros((112, 96), bool)
    found[y0:y1, x0:x1] = True
    return found


@pytest.mark.parametrize("geometry", ["aligned", "box", "centered"])
@pytest.mark.parametrize("part", ["left_eye", "right_eye", "eyes", "nose", "mouth"])
def test_the_box_of_a_part_is_hidden(geometry, part):
    assert np.array_equal(hidden(0, parts=[part], geometry=geometry), box(part, geometry))


def test_parts_are_drawn_alike():
    parts = ("left_eye", "right_eye", "nose", "mouth")
    boxes = {part: box(part).tobytes() for part in parts}
    seen = [hidden(seed).tobytes() for seed in range(200)]
    counts = [seen.count(boxes[part]) for part in parts]
    assert sum(counts) == 200
    assert min(counts) > 30


def test_several_parts_are_different_ones():
    both = (box("left_eye") | box("right_eye")).tobytes()
    seen = [hidden(seed, parts=["left_eye", "right_eye"], most=5).tobytes() for seed in range(60)]
    assert set(seen) == {both, box("left_eye").tobytes(), box("right_eye").tobytes()}
    assert 15 < seen.count(both) < 45


def test_edges_move_by_the_jitter_at_most():
    inner, outer = [], []
    x0, y0, x1, y1 = box_of("nose", points_of("aligned", 112, 96))
    for seed in range(100):
        rows, columns = np.nonzero(hidden(seed, parts=["nose"], jitter=0.2))
        outer.append((columns.min() - x0) / (x1 - x0))
        inner.append((rows.max() + 1 - y1) / (y1 - y0))
    for moves in (outer, inner):
        assert -0.23 < min(moves) < -0.1
        assert 0.1 < max(moves) < 0.23


def test_a_part_without_a_name_is_refused():
    with pytest.raises(ValueError, match="parts"):
        ErasePartsConfig(parts=["ear"])
    with pytest.raises(ValueError, match="parts"):
        ErasePartsConfig(parts=[])

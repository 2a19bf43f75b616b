"""The image of two faces."""

import io
from typing import Any

import numpy as np
from PIL import Image

from grid.explain.pair_png import Drawn, Headline, pair_png

HEAD = Headline("same subject: cosine 0.7000, threshold 0.3000", "threshold: --threshold", "network: rate=low")
FACES = [{"file": f"{name}.jpg", "width": 250, "height": 200, "found": True} for name in "ab"]


def drawn(signed: bool = False) -> Drawn:
    maps = np.random.default_rng(0).random((2, 3, 3)).astype(np.float32)
    return Drawn("gradcam", ("cosine with the other image",), maps - (0.5 if signed else 0), signed)


def canvas(*maps: Drawn, faces: Any = FACES, refused: tuple[str, ...] = (), shape: tuple[int, int] = (56, 48)) -> bytes:
    crops = np.random.default_rng(1).integers(0, 255, (2, *shape, 3), dtype=np.uint8)
    return pair_png(HEAD, crops, faces, maps, refused)


def size(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


def test_equal_facts_give_equal_bytes() -> None:
    assert canvas(drawn()) == canvas(drawn())


def test_every_map_has_a_row_and_every_refusal_a_word() -> None:
    none, one, two = (size(canvas(*[drawn()] * count))[1] for count in range(3))
    assert two - one == one - none > 200
    assert size(canvas(refused=("cam: not_linear_head",)))[1] > none


def test_the_two_maps_of_a_method_have_one_scale() -> None:
    one = drawn()
    assert (one.low, one.high) == (0.0, float(one.maps.max()))
    both = drawn(signed=True)
    assert both.low == -both.high == -float(np.abs(both.maps).max())


def test_tiles_have_the_shape_of_the_crops() -> None:
    square, narrow = size(canvas(shape=(64, 64))), size(canvas(shape=(128, 32)))
    assert square[1] == narrow[1], "the longer side is the same"


def test_a_face_that_was_not_found_is_named() -> None:
    assert canvas() != canvas(faces=[FACES[0], {**FACES[1], "found": False}])


def test_images_of_a_methods_own_take_the_place_of_its_maps() -> None:
    own = np.random.default_rng(2).integers(0, 255, (2, 56, 48, 3), dtype=np.uint8)
    first, other = drawn(), drawn(signed=True)
    shown = canvas(Drawn("maximized", first.about, first.maps, False, own))
    assert shown == canvas(Drawn("maximized", first.about, other.maps, True, own))
    assert shown != canvas(Drawn("maximized", first.about, first.maps, False, own[::-1]))

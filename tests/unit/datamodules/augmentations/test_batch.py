"""Each step against a derivation for one image with NumPy, OpenCV or albumentations, and what a batch must not change."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import albucore
import cv2
import numpy as np
import pytest
import torch
from albumentations.augmentations.geometric.functional import center, create_affine_transformation_matrix
from scipy.ndimage import map_coordinates

from configs.data_interfaces import BatchAugmentation
from datamodules.augmentations.basic import BasicConfig
from datamodules.augmentations.batch import BOX, GRAYED, LIGHT, MATRIX, SHIFT, BatchConfig
from datamodules.images import read_image

OFF: dict[str, Any] = {"flip": 0.0, "move": 0.0, "light": 0.0}
EVERYTHING: dict[str, Any] = {"gray": 0.5, "erase": 0.5}
ALWAYS: dict[str, Any] = dict.fromkeys(("flip", "move", "light", "gray", "erase"), 1.0)
LARGE: dict[str, Any] = {"shift": 0.4, "scale": 0.5, "rotate": 180.0}
SEEDS = range(12)
SHAPES = [(112, 112), (112, 96), (33, 71), (2, 3), (1, 1)]


def noise(count: int, height: int = 48, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def batch(config: BatchConfig, images: np.ndarray, seeds: Any) -> np.ndarray:
    built = config.build()
    parameters = torch.from_numpy(np.stack([built.draw(seed) for seed in seeds]))
    return built.apply(torch.from_numpy(images), parameters).numpy()


def levels(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference in gray levels."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def drawn(config: BatchConfig, seed: int) -> Mapping[str, float]:
    """The quantities that the same random numbers stand for, written out again."""
    chance = np.random.default_rng(seed).random(16)
    either = [2 * one - 1 for one in chance]
    return {
        "right": config.shift * either[2],
        "down": config.shift * either[3],
        "wider": 1 + config.scale * either[4],
        "higher": 1 + config.scale * either[5],
        "degrees": config.rotate * either[6],
        "brightness": config.brightness * either[8],
        "contrast": 1 + config.contrast * either[9],
        "width": config.side[0] + (config.side[1] - config.side[0]) * chance[12],
        "height": config.side[0] + (config.side[1] - config.side[0]) * chance[13],
        "left": chance[14],
        "top": chance[15],
    }


def forward_matrix(config: BatchConfig, seed: int, height: int, width: int) -> np.ndarray:
    """3 x 3, from pixels of the image to pixels of the result, by albumentations, with shifts that are no whole pixels."""
    values = drawn(config, seed)
    return create_affine_transformation_matrix(
        {"x": values["right"] * width, "y": values["down"] * height},  # type: ignore[dict-item]
        {"x": 0.0, "y": 0.0},
        {"x": values["wider"], "y": values["higher"]},
        values["degrees"],
        center((height, width)),
    )


def naive_move(image: np.ndarray, config: BatchConfig, seed: int) -> np.ndarray:
    """Bilinear values in float64 at the places that the inverse matrix gives, mirrored at the outermost pixels; not rounded."""
    height, width = image.shape[:2]
    inverse = np.linalg.inv(forward_matrix(config, seed, height, width))
    found = np.empty(image.shape)
    ys, xs = np.mgrid[:height, :width]
    x, y, _ = np.tensordot(inverse, np.stack([xs, ys, np.ones_like(xs)]), axes=1)
    for channel in range(3):
        found[..., channel] = map_coordinates(image[..., channel].astype(float), [y, x], order=1, mode="mirror")
    return found


def naive_light(image: np.ndarray, config: BatchConfig, seed: int) -> np.ndarray:
    values = drawn(config, seed)
    return np.asarray(albucore.multiply_add(image, values["contrast"], 255 * values["brightness"], inplace=False))


def naive_box(config: BatchConfig, seed: int, height: int, width: int) -> np.ndarray:
    """bool (height, width), pixel by pixel."""
    values = drawn(config, seed)
    x0, y0 = values["left"] * (1 - values["width"]), values["top"] * (1 - values["height"])
    x1, y1 = x0 + values["width"], y0 + values["height"]
    inside = [[x0 <= (x + 0.5) / width < x1 and y0 <= (y + 0.5) / height < y1 for x in range(width)] for y in range(height)]
    return np.array(inside)


def test_a_flip_is_the_mirror_image() -> None:
    images = noise(len(SEEDS))
    assert np.array_equal(batch(BatchConfig(**{**OFF, "flip": 1.0}), images, SEEDS), images[:, :, ::-1])


@pytest.mark.parametrize(
    "limits",
    [
        {"shift": 0.3, "scale": 0.0, "rotate": 0.0},
        {"shift": 0.0, "scale": 0.4, "rotate": 0.0},
        {"shift": 0.0, "scale": 0.0, "rotate": 180.0},
        {"shift": 0.05, "scale": 0.08, "rotate": 8.0},
        LARGE,
    ],
    ids=["shift", "scale", "rotation", "defaults", "large"],
)
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_move_is_that_of_a_matrix_and_bilinear_interpolation(limits: Any, flip: float) -> None:
    """On noise, where a hundredth of a pixel is up to 2.5 levels."""
    config, images = BatchConfig(**{**OFF, "flip": flip, "move": 1.0, **limits}), noise(len(SEEDS))
    found = batch(config, images, SEEDS)
    for image, one, seed in zip(images, found, SEEDS, strict=True):
        first = image[:, ::-1] if flip else image
        assert levels(one, np.rint(naive_move(first, config, seed))) <= 1


def test_a_move_is_opencvs_where_neighboring_pixels_differ_little(shared: Path) -> None:
    """OpenCV rounds positions to 1/32 of a pixel."""
    config = BatchConfig(**{**OFF, "move": 1.0})
    faces = [read_image(path) for path in sorted((shared / "data" / "lfw" / "images").glob("*/*_0001.jpg"))[:4]]
    images = np.stack([cv2.GaussianBlur(face, (0, 0), 4) for face in faces])
    found = batch(config, images, range(4))
    for image, one, seed in zip(images, found, range(4), strict=True):
        matrix = forward_matrix(config, seed, *image.shape[:2])[:2]
        expected = cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        assert levels(one, expected) <= 1
        assert levels(one, image) > 8


def test_light_is_a_factor_and_a_summand() -> None:
    config, images = BatchConfig(**{**OFF, "light": 1.0}, brightness=0.5, contrast=0.8), noise(len(SEEDS))
    for image, one, seed in zip(images, batch(config, images, SEEDS), SEEDS, strict=True):
        assert levels(one, naive_light(image, config, seed)) <= 1


def test_gray_is_opencvs() -> None:
    images = noise(3)
    for image, one in zip(images, batch(BatchConfig(**OFF, gray=1.0), images, range(3)), strict=True):
        assert levels(one, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]) <= 1


@pytest.mark.parametrize(("fill", "value"), [("gray", 128), ("black", 0)])
def test_an_erased_rectangle_has_one_value_and_the_rest_stays(fill: Any, value: int) -> None:
    config, images = BatchConfig(**OFF, erase=1.0, fill=fill), noise(len(SEEDS))
    sizes = set()
    for image, one, seed in zip(images, batch(config, images, SEEDS), SEEDS, strict=True):
        box = naive_box(config, seed, *image.shape[:2])
        assert np.array_equal(one, np.where(box[..., None], np.uint8(value), image))
        sizes.add(int(box.sum()))
        assert 0 < box.sum() < 0.3 * box.size
    assert len(sizes) > 6


def test_all_steps_follow_each_other_and_are_rounded_once() -> None:
    config, images = BatchConfig(**ALWAYS, brightness=0.3, contrast=0.3), noise(len(SEEDS))
    for image, one, seed in zip(images, batch(config, images, SEEDS), SEEDS, strict=True):
        values = drawn(config, seed)
        expected = naive_move(image[:, ::-1], config, seed) * values["contrast"] + 255 * values["brightness"]
        expected = expected.clip(0, 255) @ np.array([[0.299, 0.587, 0.114]] * 3).T
        expected[naive_box(config, seed, *image.shape[:2])] = 128
        assert levels(one, np.rint(expected)) <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_has_the_same_bits_in_every_batch(shape: tuple[int, int]) -> None:
    config, images = BatchConfig(**EVERYTHING), noise(17, *shape)
    built, whole = config.build(), batch(config, images, range(17))
    for rows in ([3], [16, 0], list(range(5)), list(reversed(range(17)))):
        assert np.array_equal(batch(config, images[rows], rows), whole[rows])
    assert all(np.array_equal(built(images[row], row), whole[row]) for row in range(17))
    assert (whole != images).any()


def test_threads_and_the_layout_in_memory_change_no_bit() -> None:
    config, images = BatchConfig(**EVERYTHING), noise(9, 112, 112)
    built, before = config.build(), torch.get_num_threads()
    parameters = torch.from_numpy(np.stack([built.draw(seed) for seed in range(9)]))
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found += [built.apply(one, parameters) for one in (torch.from_numpy(images), planes)]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], one) for one in found[1:])


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_of_which_nothing_is_drawn_stays_as_it_is(shape: tuple[int, int]) -> None:
    """Although it passes through every step with the others of its batch."""
    config, images = BatchConfig(**dict.fromkeys(ALWAYS, 0.4)), noise(200, *shape)
    chance = [np.random.default_rng(seed).random(16) for seed in range(200)]
    spared = [seed for seed in range(200) if min(chance[seed][[0, 1, 7, 10, 11]]) >= 0.4]
    assert len(spared) > 5
    assert np.array_equal(batch(config, images, range(200))[spared], images[spared])


def test_no_value_is_read_on_the_host() -> None:
    """Tensors on the meta device have none."""
    built = BatchConfig(**ALWAYS).build()
    found = built.apply(torch.empty(5, 20, 16, 3, dtype=torch.uint8, device="meta"), torch.empty(5, 13, device="meta"))
    assert (found.shape, found.dtype, found.device.type) == ((5, 20, 16, 3), torch.uint8, "meta")


def test_a_probability_is_a_share_and_changes_no_other_step() -> None:
    parts = {"flip": MATRIX, "move": SHIFT, "light": LIGHT, "gray": GRAYED, "erase": BOX}
    some = BatchConfig(**dict.fromkeys(ALWAYS, 0.3)).build()
    drawn = np.stack([some.draw(seed) for seed in range(400)])
    for name, part in parts.items():
        rest = BatchConfig(**{**dict.fromkeys(ALWAYS, 0.3), name: 0.0}).build()
        without = np.stack([rest.draw(seed) for seed in range(400)])
        changed = (drawn != without).reshape(400, -1)
        assert 90 < changed[:, part].reshape(400, -1).any(1).sum() < 150, name  # 3.3 standard deviations
        kept = [other for key, other in parts.items() if key != name and (key, name) != ("flip", "move")]
        assert not any(changed[:, other].any() for other in kept), name


def test_the_limits_are_reached_and_kept() -> None:
    config = BatchConfig(**ALWAYS, side=(0.2, 0.5), shift=0.1)
    drawn = np.stack([config.build().draw(seed) for seed in range(600)])
    for found, low, high in (
        (drawn[:, SHIFT], -0.1, 0.1),
        (drawn[:, LIGHT][:, 0], 0.85, 1.15),
        (drawn[:, LIGHT][:, 1], -0.15, 0.15),
        (drawn[:, BOX][:, 2:] - drawn[:, BOX][:, :2], 0.2, 0.5),
        (np.degrees(np.arctan2(drawn[:, 2] / drawn[:, 3], 1)), -8.0, 8.0),
        (1 / np.hypot(drawn[:, 0], drawn[:, 1]), 0.92, 1.08),
        (1 / np.hypot(drawn[:, 2], drawn[:, 3]), 0.92, 1.08),
    ):
        margin = 0.02 * (high - low)
        assert low - 1e-6 <= found.min() < low + margin
        assert high - margin < found.max() <= high + 1e-6
    assert drawn[:, BOX].min() >= 0
    assert drawn[:, BOX].max() <= 1


def test_its_defaults_are_those_of_basic() -> None:
    basic = BasicConfig().model_dump(exclude={"name"})
    assert {key: value for key, value in BatchConfig().model_dump().items() if key in basic} == basic


def test_it_is_a_batch_augmentation_whose_image_travels_unchanged() -> None:
    config, image = BatchConfig(), noise(1)[0]
    built = config.build()
    assert config.batched
    assert isinstance(built, BatchAugmentation)
    kept, parameters = built.prepare(image, 4)
    assert kept is image
    assert np.array_equal(parameters, built.draw(4))
    assert not BasicConfig().batched
    assert not isinstance(BasicConfig().build(), BatchAugmentation)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.zeros(2, 8, 8, 3), r"found float32 \(2, 8, 8, 3\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), r"found uint8 \(2, 3, 8, 8\)"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"found uint8 \(8, 8, 3\)"),
    ],
)
def test_other_images_are_refused(images: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=rf"^augmentation batch: images are uint8 \(B, H, W, 3\); {said}$"):
        BatchConfig().build().apply(images, torch.zeros(2, 13))

import numpy as np
import pytest

from datamodules.augmentations.flip import FlipConfig

IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def test_an_image_is_either_itself_or_its_mirror_image():
    flip = FlipConfig().build()
    mirrored = [np.array_equal(flip(IMAGE, seed), IMAGE[:, ::-1]) for seed in range(400)]
    assert all(done or np.array_equal(flip(IMAGE, seed), IMAGE) for seed, done in enumerate(mirrored))
    assert 160 < sum(mirrored) < 240  # four standard deviations
    assert mirrored == [np.array_equal(flip(IMAGE, seed), IMAGE[:, ::-1]) for seed in range(400)]


@pytest.mark.parametrize(("p", "image"), [(0.0, IMAGE), (1.0, IMAGE[:, ::-1])])
def test_the_probability_reaches_never_and_always(p, image):
    assert all(np.array_equal(FlipConfig(p=p).build()(IMAGE, seed), image) for seed in range(20))


def test_the_image_given_is_not_changed():
    before = IMAGE.copy()
    FlipConfig(p=1.0).build()(IMAGE, 0)
    assert np.array_equal(before, IMAGE)


def test_the_probability_may_be_called_that_and_is_the_same_setting():
    assert FlipConfig.model_validate({"probability": 0.2}) == FlipConfig(p=0.2)
    assert FlipConfig.model_validate({"probability": 0.2}).identity() == {"name": "flip", "p": 0.2}
    with pytest.raises(ValueError, match="probability"):
        FlipConfig.model_validate({"p": 0.1, "probability": 0.2})

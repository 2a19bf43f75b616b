"""The interface of image transforms."""

import pytest

from configs.lookup import known, resolve
from configs.transforms import SweepPoint


def test_every_transform_has_an_example_that_keeps_or_states_the_size():
    settings = {"jpeg": {"quality": 50}, "resize_pixels": {"pixels": 600}}
    assert set(settings) == set(known("transform"))
    shapes = {name: resolve("transform", {"name": name, **some}).shape(30, 20) for name, some in settings.items()}
    assert shapes == {"jpeg": (30, 20), "resize_pixels": (30, 20)}
    assert resolve("transform", {"name": "resize_pixels", "pixels": 150}).shape(30, 20) == (15, 10)


@pytest.mark.parametrize("key", ["quality", "jpeg.", ".quality"])
def test_a_point_of_a_sweep_names_a_transform_and_its_setting(key):
    with pytest.raises(ValueError, match="key"):
        SweepPoint(of="lfw", key=key, value=10)

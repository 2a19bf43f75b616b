"""A dataset after transforms: other images and digests, the same keys, identities and original files."""

import numpy as np
import pytest

from configs.lookup import resolve

DRAWN = {"name": "drawn", "subjects": 3, "shots": 2}


def _config(*transforms, **more):
    return resolve("data", {"name": "transformed", "data": DRAWN, "transforms": list(transforms), **more})


def test_rows_are_those_of_the_dataset_with_other_digests_and_sizes(tmp_path):
    original = resolve("data", DRAWN).manifest(tmp_path)
    small = _config({"name": "resize_pixels", "pixels": 6400}).manifest(tmp_path)
    assert (small.keys, small.identities) == (original.keys, original.identities)
    assert set(small.widths) == set(small.heights) == {80}
    assert not set(small.digests) & set(original.digests)
    again = _config({"name": "resize_pixels", "pixels": 6400}).manifest(tmp_path)
    other = _config({"name": "resize_pixels", "pixels": 6401}).manifest(tmp_path)
    assert small.digest == again.digest != other.digest


def test_images_are_transformed_in_order_also_of_a_subset(tmp_path):
    resize, jpeg = {"name": "resize_pixels", "pixels": 6400}, {"name": "jpeg", "quality": 10}
    config, plain = _config(resize, jpeg), resolve("data", DRAWN)
    manifest = config.manifest(tmp_path)
    part = config.build(manifest.subset([4, 1]))
    faces = plain.build(plain.manifest(tmp_path))
    expected = resolve("transform", jpeg).build()(resolve("transform", resize).build()(faces.image(1)))
    assert len(part) == 2
    assert part.manifest.keys == (manifest.keys[4], manifest.keys[1])
    assert (part.image(1) == expected).all()
    swapped = _config(jpeg, resize)
    assert not np.array_equal(swapped.build(swapped.manifest(tmp_path)).image(1), expected)
    assert swapped.manifest(tmp_path).digest != manifest.digest


def test_subjects_columns_and_the_original_are_passed_on(tmp_path):
    config, plain = _config({"name": "jpeg", "quality": 10}), resolve("data", DRAWN)
    assert config.namespace == plain.namespace
    assert config.untransformed() == plain
    twice = resolve("data", {"name": "transformed", "data": config, "transforms": [{"name": "jpeg", "quality": 9}]})
    assert twice.untransformed() == plain
    found, expected = config.columns(config.manifest(tmp_path)), plain.columns(plain.manifest(tmp_path))
    assert (found["gender"].values == expected["gender"].values).all()
    assert config.scan(tmp_path).digest == config.manifest(tmp_path).digest


def test_images_of_a_dataset_without_identities_have_none_either(tmp_path):
    faces = {"name": "utkface", "root": str(tmp_path)}
    once = resolve("data", {"name": "transformed", "data": faces, "transforms": [{"name": "jpeg", "quality": 10}]})
    twice = resolve("data", {"name": "transformed", "data": once, "transforms": [{"name": "jpeg", "quality": 9}]})
    assert not resolve("data", faces).identified
    assert not once.identified
    assert not twice.identified
    assert _config({"name": "jpeg", "quality": 10}).identified


def test_the_published_validation_split_is_that_of_the_dataset(tmp_path, monkeypatch):
    config = _config({"name": "jpeg", "quality": 10})
    manifest = config.manifest(tmp_path)
    assert config.official_validation(manifest) is None
    held = np.array([key.endswith("1") for key in manifest.keys])
    monkeypatch.setattr(
        type(config.data), "official_validation", lambda _, seen: held if seen.digest == manifest.original.digest else None
    )
    assert (config.official_validation(manifest) == held).all()


def test_an_empty_list_and_another_policy_than_the_datasets_are_refused():
    with pytest.raises(ValueError, match="transforms"):
        _config()
    with pytest.raises(ValueError, match="on_bad_image is skip, and that of its dataset drawn is fail"):
        _config({"name": "jpeg", "quality": 10}, on_bad_image="skip")

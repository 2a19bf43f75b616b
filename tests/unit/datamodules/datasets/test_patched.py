"""Patched images: a second derivation of the pixels, and rows, digests and labels that follow from the pairs."""

import numpy as np
import pytest
from PIL import Image

from configs.lookup import resolve
from datamodules.datasets.patched import PatchedImages

DRAWN = {"name": "drawn", "subjects": 4, "shots": 4, "size": 112, "pairs_per_fold": 8, "folds": 2}


def dataset(**settings):
    return resolve("data", {"name": "patched", "protocol": DRAWN, **settings})


def test_patched_pixels_are_those_of_the_source_and_the_others_unchanged(tmp_path):
    config = dataset()
    manifest = config.manifest(tmp_path)
    images, plain = config.build(manifest), resolve("protocol", DRAWN).dataset()
    faces = plain.build(plain.manifest(tmp_path))
    patched = [row for row, one in enumerate(manifest.patches) if one is not None]
    assert len(patched) == 16
    for row in patched:
        one = manifest.patches[row]
        expected = faces.image(manifest.rows[row]).copy()
        source, mask = faces.image(one.source), np.zeros((112, 112), bool)
        for y in range(112):
            for x in range(112):
                if any(0 <= y - top < 16 and 0 <= x - left < 16 for top, left in one.places):
                    expected[y, x], mask[y, x] = source[y, x], True
        assert (images.image(row) == expected).all()
        assert (images.mask(row) == mask).all()
        assert 0.2 < mask.mean() < 0.6
    second = next(row for row, one in enumerate(manifest.patches) if one is None)
    assert (images.image(second) == faces.image(manifest.rows[second])).all()
    assert not images.mask(second).any()


def test_a_source_of_another_size_is_resized(tmp_path):
    rng = np.random.default_rng(0)
    for who in "ab":
        (tmp_path / "faces" / who).mkdir(parents=True)
        for number in range(2):
            side = 100 if who == "a" else 200
            color = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), (side, side, 3))
            Image.fromarray(color.copy()).save(tmp_path / "faces" / who / f"{number}.png")
    protocol = {"name": "pairs_of", "data": {"name": "folder", "root": str(tmp_path / "faces")}, "folds": 2}
    config = dataset(protocol=protocol, area=0.5)
    manifest = config.scan(tmp_path / "cache")
    images = config.build(manifest)
    seen = set()
    for row, one in enumerate(manifest.patches):
        if one is not None:
            image, mask, source = images.image(row), images.mask(row), images.images.image(one.source)
            assert (image[mask] == source[0, 0]).all()
            assert (image[~mask] == images.images.image(manifest.rows[row])[0, 0]).all()
            inside = np.zeros_like(mask)
            quarter = len(mask) // 4
            inside[quarter:-quarter, quarter:-quarter] = True
            assert not (mask & ~inside).any()
            seen.add(source.shape[0] / image.shape[0])
    assert seen == {0.5, 2.0} or seen == {0.5, 1.0, 2.0}


def test_digests_follow_from_what_the_pixels_follow_from(tmp_path):
    digests = {
        dataset(**settings).manifest(tmp_path).digest
        for settings in ({}, {"seed": 1}, {"patches": 26}, {"side": 15}, {"area": 0.9}, {"patches": 0})
    }
    assert len(digests) == 6
    assert dataset().scan(tmp_path).digest in digests


def test_the_original_has_the_same_rows_without_patches(tmp_path):
    config = dataset()
    manifest, plain = config.manifest(tmp_path), config.untransformed().manifest(tmp_path)
    faces = resolve("protocol", DRAWN).dataset().manifest(tmp_path)
    assert (plain.keys, plain.identities) == (manifest.keys, manifest.identities)
    assert list(plain.digests) == [faces.digests[row] for row in manifest.rows]
    assert not set(faces.digests) & {manifest.digests[row] for row, one in enumerate(manifest.patches) if one}
    images = config.untransformed().build(plain)
    assert (images.image(len(plain) - 1) == images.images.image(plain.rows[-1])).all()


def test_a_subset_keeps_images_and_labels(tmp_path):
    config = dataset()
    manifest = config.manifest(tmp_path)
    part, last = manifest.subset([len(manifest) - 1, 0]), len(manifest) - 1
    assert (config.build(part).image(0) == config.build(manifest).image(last)).all()
    assert part.keys == (manifest.keys[last], manifest.keys[0])
    data = resolve("protocol", DRAWN).dataset()
    of_subject = dict(zip(data.manifest(tmp_path).identities, data.columns(data.manifest(tmp_path))["age"].values, strict=True))
    assert len(set(of_subject.values())) > 1
    for some in (part, manifest):
        assert config.columns(some)["age"].values.tolist() == [of_subject[who] for who in some.identities]


def test_an_image_that_its_dataset_keeps_in_memory_stays_as_it_is(tmp_path):
    config = dataset()
    manifest = config.manifest(tmp_path)
    faces = config.data.build(manifest.original)
    kept = [faces.image(row) for row in range(len(faces))]

    class Kept:
        def image(self, index):
            return kept[index]

    images = PatchedImages(manifest, Kept(), 16, 1.0)
    for row in range(len(images)):
        images.image(row)
    assert all((kept[row] == faces.image(row)).all() for row in range(len(faces)))


def test_another_policy_than_the_datasets_is_refused():
    with pytest.raises(ValueError, match="on_bad_image is skip, and that of its dataset drawn is fail"):
        dataset(on_bad_image="skip")

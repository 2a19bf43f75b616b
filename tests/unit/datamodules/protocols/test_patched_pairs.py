"""Pairs with patches: the same pairs, and a true region in genuine ones."""

import numpy as np
import pytest

from configs.lookup import resolve

DRAWN = {"name": "drawn", "subjects": 4, "shots": 4, "size": 112, "pairs_per_fold": 8, "folds": 2}


def protocol(**settings):
    return resolve("protocol", {"name": "patched_pairs", "protocol": DRAWN, **settings})


@pytest.mark.parametrize("transforms", [[], [{"name": "jpeg", "quality": 50}]])
def test_pairs_are_those_of_the_protocol_with_the_first_image_patched(tmp_path, transforms):
    config, inner = protocol(), resolve("protocol", DRAWN)
    data = config.dataset()
    if transforms:
        data = resolve("data", {"name": "transformed", "data": data, "transforms": transforms})
    manifest, faces = data.manifest(tmp_path), inner.dataset().manifest(tmp_path)
    found, expected = config.pairs(manifest), inner.pairs(faces)
    assert (found.same == expected.same).all()
    assert (found.fold == expected.fold).all()
    assert [manifest.keys[row] for row in found.right] == [faces.keys[row] for row in expected.right]
    lefts = [manifest.keys[row].split("/", 2)[2] for row in found.left]
    assert lefts == [faces.keys[row] for row in expected.left]
    assert len(set(found.left.tolist())) == len(found)
    assert not set(found.left.tolist()) & set(found.right.tolist())


def test_pairs_do_not_depend_on_the_order_of_the_manifest_and_a_lost_image_is_named(tmp_path):
    config = protocol()
    manifest = config.dataset().manifest(tmp_path)
    turned = manifest.subset(range(len(manifest) - 1, -1, -1))
    one, other = config.pairs(manifest), config.pairs(turned)
    assert [manifest.keys[row] for row in one.left] == [turned.keys[row] for row in other.left]
    with pytest.raises(ValueError, match="protocol patched_pairs: compares the image patched/15/"):
        config.pairs(manifest.subset(range(len(manifest) - 1)))


def test_the_region_is_where_a_genuine_pairs_first_image_was_changed(tmp_path):
    config = protocol()
    manifest = config.dataset().manifest(tmp_path)
    images, pairs = config.dataset().build(manifest), config.pairs(manifest)
    for left, right, same in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.same.tolist(), strict=True):
        region = config.region(images, left, right)
        assert config.region(images, right, left) is None
        changed = (images.image(left) != images.images.image(manifest.rows[left])).any(2)
        if same:
            assert not (changed & ~region).any()
            assert changed.sum() > 0.95 * region.sum()  # a source may have the same color by chance
            stranger = next(row for row in pairs.right.tolist() if row != right)
            assert config.region(images, left, stranger) is None
            assert config.common_region(images, left, right) is None
            assert config.common_region(images, right, left) is None
        else:
            assert region is None
            common = config.common_region(images, left, right)
            assert common.any()
            assert not (changed & ~common).any()
            assert (images.image(left)[common] == images.image(right)[common]).all()
            assert (config.common_region(images, right, left) == common).all(), "both images have one size"
            stranger = next(row for row in pairs.right.tolist() if manifest.rows[row] != manifest.rows[right])
            assert config.common_region(images, left, stranger) is None
            assert config.common_region(images, stranger, left) is None


def test_the_common_region_of_the_second_image_is_where_the_patches_are_from(tmp_path):
    """Of images of different sizes."""
    import cv2

    rng = np.random.default_rng(0)
    for subject, side in (("a", 120), ("b", 200)):
        (tmp_path / "faces" / subject).mkdir(parents=True)
        for number in range(2):
            image = rng.integers(0, 256, (side, side, 3), np.uint8)
            assert cv2.imwrite(str(tmp_path / "faces" / subject / f"{number}.png"), image)
    inner = {"name": "pairs_of", "data": {"name": "folder", "root": str(tmp_path / "faces")}, "folds": 2}
    config = protocol(protocol=inner, patches=1, area=0.5)
    manifest = config.dataset().scan(tmp_path / "cache")
    images, pairs = config.dataset().build(manifest), config.pairs(manifest)
    kinds = zip(pairs.left.tolist(), pairs.right.tolist(), pairs.same.tolist(), strict=True)
    impostors = [(left, right) for left, right, same in kinds if not same]
    assert impostors
    for left, right in impostors:
        here, there = config.common_region(images, left, right), config.common_region(images, right, left)
        assert (here.shape, there.shape) == (images.image(left).shape[:2], images.image(right).shape[:2])
        parts = [
            image[np.ix_(mask.any(1), mask.any(0))]
            for image, mask in ((images.image(left), here), (images.image(right), there))
        ]
        smaller = parts[0].shape[0] < parts[1].shape[0]
        way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        resized = cv2.resize(parts[1], parts[0].shape[1::-1], interpolation=way)
        assert (parts[0] == resized).all()


def test_without_patches_there_is_no_region(tmp_path):
    config = protocol(patches=0)
    manifest = config.dataset().manifest(tmp_path)
    pairs = config.pairs(manifest)
    genuine = int(np.flatnonzero(pairs.same)[0])
    assert config.region(config.dataset().build(manifest), int(pairs.left[genuine]), int(pairs.right[genuine])) is None


def test_a_list_that_is_not_there_is_missing(tmp_path):
    assert protocol().missing() is None
    found = protocol(impostor_places=str(tmp_path / "patch_idx_imp.txt")).missing()
    assert "no list" in str(found)
    assert "set impostor_places to a list of places" in str(found)


def test_the_network_that_mined_the_pairs_is_known():
    assert protocol().miner is None
    mined = protocol(protocol={"name": "lookalike", "root": "/lfw", "file": "/mined.txt"})
    assert mined.miner == mined.protocol.miner

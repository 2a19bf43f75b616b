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
        else:
            assert region is None
            agree = images.mask(left)
            assert (images.image(left)[agree] == images.image(right)[agree]).all()


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

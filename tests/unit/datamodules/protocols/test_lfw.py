import numpy as np
import pytest
from lfw_folder import lfw_folder

from datamodules.manifest import Manifest
from datamodules.protocols.lfw import LFWProtocolConfig


@pytest.fixture
def root(tmp_path):
    return lfw_folder(tmp_path / "lfw", pairs="2\t1\nBob\t1\t3\nBob\t1\tEve\t1\nAda 2 1\nAda 1 Bob 1\n")


def test_pairs_are_rows_of_the_manifest(root, tmp_path):
    protocol = LFWProtocolConfig(root=root)
    manifest = protocol.dataset().scan(tmp_path / "cache")
    pairs = protocol.pairs(manifest)
    assert [(manifest.keys[a], manifest.keys[b]) for a, b in zip(pairs.left, pairs.right, strict=True)] == [
        ("Bob/Bob_0001.jpg", "Bob/Bob_0003.jpg"),
        ("Bob/Bob_0001.jpg", "Eve/Eve_0001.jpg"),
        ("Ada/Ada_0002.jpg", "Ada/Ada_0001.jpg"),
        ("Ada/Ada_0001.jpg", "Bob/Bob_0001.jpg"),
    ]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]
    assert (pairs.left.dtype, pairs.right.dtype, pairs.same.dtype, pairs.fold.dtype) == (np.int64, np.int64, bool, np.int64)


def test_the_dataset_has_the_images_of_the_list_only(root, tmp_path):
    assert len(LFWProtocolConfig(root=root).dataset().scan(tmp_path / "cache")) == 5


def test_a_pair_whose_image_was_skipped_is_refused(root):
    manifest = Manifest(("Bob/Bob_0001.jpg",), ("Bob",), (8,), (8,), ("00",), {"Bob/Bob_0003.jpg": "truncated"})
    with pytest.raises(ValueError, match=r"pairs\.txt, line 2: .*Bob_0003\.jpg, which was skipped: truncated"):
        LFWProtocolConfig(root=root).pairs(manifest)


def test_a_pair_outside_the_manifest_is_refused(root):
    manifest = Manifest((), (), (), (), ())
    with pytest.raises(ValueError, match=r"line 2: .* which is not in the dataset"):
        LFWProtocolConfig(root=root).pairs(manifest)


def test_the_view_decides_the_list(tmp_path):
    assert LFWProtocolConfig(root=tmp_path).dataset().only == "view2"
    assert LFWProtocolConfig(root=tmp_path, view=1).dataset().only == "view1_test"
    assert LFWProtocolConfig(root=tmp_path, view=1, part="train").dataset().only == "view1_train"
    with pytest.raises(ValueError, match="view 2 has no train part"):
        LFWProtocolConfig(root=tmp_path, part="train")


def test_only_the_restricted_setting_has_a_verifier_to_choose(tmp_path):
    assert LFWProtocolConfig(root=tmp_path, setting="restricted").evaluation_identity() == {"setting": "restricted"}
    with pytest.raises(ValueError, match="verifier chi_square is fitted in the restricted setting only"):
        LFWProtocolConfig(root=tmp_path, verifier="chi_square")


def test_what_is_missing_is_what_the_dataset_misses(root, tmp_path):
    assert LFWProtocolConfig(root=tmp_path / "none").missing() is not None
    assert "pairsDevTest.txt" in LFWProtocolConfig(root=root, view=1).missing().what
    assert LFWProtocolConfig(root=root).missing() is None


@pytest.mark.parametrize(("view", "count"), [(1, 1000), (2, 6000)])
def test_the_real_lists_find_all_their_images(shared, view, count):
    protocol = LFWProtocolConfig(root=shared / "data" / "lfw", view=view)
    images = protocol.dataset().images()
    size = len(images)
    manifest = Manifest(*zip(*images, strict=True), (250,) * size, (250,) * size, ("",) * size)
    pairs = protocol.pairs(manifest)
    same = np.array(manifest.identities)[pairs.left] == np.array(manifest.identities)[pairs.right]
    assert len(pairs) == count
    assert np.array_equal(same, pairs.same)

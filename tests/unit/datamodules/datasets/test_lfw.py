import pytest
from lfw_folder import lfw_folder

from datamodules.datasets.lfw import LFWDatasetConfig


@pytest.fixture
def root(tmp_path):
    return lfw_folder(tmp_path / "lfw", pairsDevTest="1\nBob\t1\t3\nBob\t1\tEve\t1\n")


def test_keys_are_subject_and_file(root, tmp_path):
    found = LFWDatasetConfig(root=root).scan(tmp_path / "cache")
    assert found.keys[0] == "Ada/Ada_0001.jpg"
    assert len(found) == 6
    assert LFWDatasetConfig(root=root).namespace == "lfw"


def test_the_subject_folders_may_lie_in_the_root_itself(root, tmp_path):
    assert (
        LFWDatasetConfig(root=root / "images").scan(tmp_path / "cache").digest
        == LFWDatasetConfig(root=root).scan(tmp_path / "cache").digest
    )


def test_subjects_of_an_excluded_list_are_left_out(root, tmp_path):
    found = LFWDatasetConfig(root=root, exclude=("view1_test",)).scan(tmp_path / "cache")
    assert set(found.identities) == {"Ada"}


def test_only_the_images_of_a_list_are_taken(root, tmp_path):
    found = LFWDatasetConfig(root=root, only="view1_test").scan(tmp_path / "cache")
    assert found.keys == ("Bob/Bob_0001.jpg", "Bob/Bob_0003.jpg", "Eve/Eve_0001.jpg")


def test_a_list_that_names_an_absent_image_is_refused(root, tmp_path):
    (root / "images" / "Bob" / "Bob_0003.jpg").unlink()
    with pytest.raises(ValueError, match=r"pairsDevTest\.txt, line 2: names the image Bob/Bob_0003\.jpg.*1 of 3"):
        LFWDatasetConfig(root=root, only="view1_test").manifest(tmp_path / "cache")


def test_what_is_missing_is_said(root, tmp_path):
    assert "no folder" in LFWDatasetConfig(root=tmp_path / "none").missing().what
    assert "facegrid data get lfw" in LFWDatasetConfig(root=tmp_path / "none").missing().remedy
    assert "pairs.txt" in LFWDatasetConfig(root=root, exclude=("view2",)).missing().what
    (tmp_path / "bare").mkdir()
    assert "no folders of subjects" in LFWDatasetConfig(root=tmp_path / "bare").missing().what
    assert LFWDatasetConfig(root=root).missing() is None


def test_lfw_without_the_test_subjects_has_310_subjects_with_five_images(shared):
    found = LFWDatasetConfig(root=shared / "data" / "lfw", min_images=5, exclude=("view1_test",)).images()
    assert len({who for _, who in found}) == 310
    assert len(found) == 4563


def test_lfw_is_whole(shared):
    found = LFWDatasetConfig(root=shared / "data" / "lfw").images()
    assert len({who for _, who in found}) == 5749
    assert len(found) == 13233

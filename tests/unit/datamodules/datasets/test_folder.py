import pytest
from PIL import Image

from datamodules.datasets.folder import FolderDatasetConfig


@pytest.fixture
def root(tmp_path):
    for subject in ("ada", "bob"):
        (tmp_path / "faces" / subject).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "faces" / subject / "x.JPG")
    return tmp_path / "faces"


def test_a_folder_is_a_subject(root, tmp_path):
    found = FolderDatasetConfig(root=root).scan(tmp_path / "cache")
    assert found.keys == ("ada/x.JPG", "bob/x.JPG")
    assert found.identities == ("ada", "bob")
    assert FolderDatasetConfig(root=root, subjects=1).scan(tmp_path / "cache").identities == ("ada",)


def test_no_scan_means_no_manifest(root, tmp_path):
    assert FolderDatasetConfig(root=root).manifest(tmp_path / "cache") is None


def test_neither_identity_nor_content_depends_on_location(root, tmp_path):
    before = FolderDatasetConfig(root=root).scan(tmp_path / "cache")
    moved = root.rename(tmp_path / "elsewhere")
    assert FolderDatasetConfig(root=moved).scan(tmp_path / "cache").digest == before.digest
    assert FolderDatasetConfig(root=moved).identity() == FolderDatasetConfig(root=root).identity()
    assert FolderDatasetConfig(root=moved).namespace == "folder"
    assert FolderDatasetConfig(root=moved, space="staff").namespace == "staff"


def test_what_is_missing_is_said(tmp_path):
    assert "no folder" in str(FolderDatasetConfig(root=tmp_path / "none").missing())
    assert "no folders of subjects" in str(FolderDatasetConfig(root=tmp_path).missing())
    with pytest.raises(ValueError, match="no folders of subjects"):
        FolderDatasetConfig(root=tmp_path).manifest(tmp_path / "cache")


def test_subjects_without_images_are_refused(tmp_path):
    (tmp_path / "faces" / "ada").mkdir(parents=True)
    assert FolderDatasetConfig(root=tmp_path / "faces").missing() is None
    with pytest.raises(ValueError, match="no subject has 1 images or more"):
        FolderDatasetConfig(root=tmp_path / "faces").scan(tmp_path / "cache")


def test_a_bad_image_removes_no_other_subject_where_a_share_is_used(tmp_path):
    for subject, count in (("few", 4), ("many", 10), ("spoiled", 10)):
        (tmp_path / "faces" / subject).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, count)).save(tmp_path / "faces" / subject / f"{number}.png")
    (tmp_path / "faces/spoiled/0.png").write_bytes(b"")
    config = FolderDatasetConfig(root=tmp_path / "faces", min_images=4, share=0.5, on_bad_image="skip")
    found = config.scan(tmp_path / "cache").identities
    assert [found.count(who) for who in ("few", "many", "spoiled")] == [2, 5, 4]

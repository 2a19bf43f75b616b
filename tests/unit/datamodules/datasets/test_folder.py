import pytest
from PIL import Image

from datamodules.datasets.folder import Config


@pytest.fixture
def root(tmp_path):
    for person in ("ada", "bob"):
        (tmp_path / "faces" / person).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "faces" / person / "x.JPG")
    return tmp_path / "faces"


def test_a_folder_is_a_person(root, tmp_path):
    found = Config(root=root).scan(tmp_path / "cache")
    assert found.keys == ("ada/x.JPG", "bob/x.JPG")
    assert found.identities == ("ada", "bob")
    assert Config(root=root, persons=1).scan(tmp_path / "cache").identities == ("ada",)


def test_no_scan_means_no_manifest(root, tmp_path):
    assert Config(root=root).manifest(tmp_path / "cache") is None


def test_neither_identity_nor_content_depends_on_location(root, tmp_path):
    before = Config(root=root).scan(tmp_path / "cache")
    moved = root.rename(tmp_path / "elsewhere")
    assert Config(root=moved).scan(tmp_path / "cache").digest == before.digest
    assert Config(root=moved).identity() == Config(root=root).identity()
    assert Config(root=moved).namespace == "folder"
    assert Config(root=moved, space="staff").namespace == "staff"


def test_what_is_missing_is_said(tmp_path):
    assert "no folder" in str(Config(root=tmp_path / "none").missing())
    assert "no folders of persons" in str(Config(root=tmp_path).missing())
    with pytest.raises(ValueError, match="no folders of persons"):
        Config(root=tmp_path).manifest(tmp_path / "cache")


def test_persons_without_images_are_refused(tmp_path):
    (tmp_path / "faces" / "ada").mkdir(parents=True)
    assert Config(root=tmp_path / "faces").missing() is None
    with pytest.raises(ValueError, match="no person has 1 images or more"):
        Config(root=tmp_path / "faces").scan(tmp_path / "cache")

import pytest
from PIL import Image

from datamodules.datasets.flat import FlatDatasetConfig


def put(folder, *names):
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / name)


def test_file_names_tell_the_subject(tmp_path):
    put(tmp_path, "Ann_Veneman_0003.jpg", "Al_1.png", "Ann_Veneman_0001.jpg", ".hidden_1.jpg")
    config = FlatDatasetConfig(root=tmp_path, space="lfw")
    assert config.images() == [
        ("Al_1.png", "Al"),
        ("Ann_Veneman_0001.jpg", "Ann_Veneman"),
        ("Ann_Veneman_0003.jpg", "Ann_Veneman"),
    ]
    assert config.namespace == "lfw"
    assert {who for _, who in FlatDatasetConfig(root=tmp_path, min_images=2).images()} == {"Ann_Veneman"}


def test_the_pattern_may_be_another(tmp_path):
    put(tmp_path, "s01-3.jpg")
    assert FlatDatasetConfig(root=tmp_path, subject="(s[0-9]+)-.*").images() == [("s01-3.jpg", "s01")]
    with pytest.raises(ValueError, match=r"s01-3\.jpg: the name does not tell the subject"):
        FlatDatasetConfig(root=tmp_path).images()
    with pytest.raises(ValueError, match="has no group"):
        FlatDatasetConfig(root=tmp_path, subject="s.*")
    with pytest.raises(ValueError, match="no regular expression"):
        FlatDatasetConfig(root=tmp_path, subject="(")


def test_what_is_missing_is_said(tmp_path):
    assert "no folder" in FlatDatasetConfig(root=tmp_path / "none").missing().what
    assert "no images" in FlatDatasetConfig(root=tmp_path).missing().what

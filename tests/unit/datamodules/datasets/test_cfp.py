import pytest
from PIL import Image

from datamodules.datasets.cfp import CFPDatasetConfig


def test_keys_hold_subject_and_view(tmp_path):
    for name in ("002/profile/01.jpg", "001/frontal/02.jpg", "001/frontal/01.jpg", "001/profile/01.jpg"):
        (tmp_path / "Data/Images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (len(name), 0, 0)).save(tmp_path / "Data/Images" / name)
    (tmp_path / "Data/Images/001/.DS_Store").write_text("")
    config = CFPDatasetConfig(root=tmp_path)
    assert config.missing() is None
    assert [key for key, _ in config.images()] == [
        "001/frontal/01.jpg",
        "001/frontal/02.jpg",
        "001/profile/01.jpg",
        "002/profile/01.jpg",
    ]
    assert config.scan(tmp_path / "cache").identities == ("001", "001", "001", "002")


def test_what_is_missing_is_said(tmp_path):
    assert "001/frontal/01.jpg" in CFPDatasetConfig(root=tmp_path).missing().what
    (tmp_path / "Data/Images/001").mkdir(parents=True)
    with pytest.raises(ValueError, match="no images in folders such as"):
        CFPDatasetConfig(root=tmp_path).images()

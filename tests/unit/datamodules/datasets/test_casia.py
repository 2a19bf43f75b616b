from PIL import Image

from datamodules.datasets.casia import CasiaDatasetConfig


def test_subjects_are_numbered_folders(tmp_path):
    for subject in ("0000045", "0000099"):
        (tmp_path / "casia" / subject).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "casia" / subject / "001.jpg")
    config = CasiaDatasetConfig(root=tmp_path / "casia")
    assert config.missing() is None
    assert config.scan(tmp_path / "cache").identities == ("0000045", "0000099")
    assert CasiaDatasetConfig(root=tmp_path / "casia", subjects=1).scan(tmp_path / "cache").keys == ("0000045/001.jpg",)
    assert (config.namespace, config.names(["0000045"])) == ("casia", {})


def test_names_come_from_a_list(tmp_path):
    (tmp_path / "0000045").mkdir()
    config = CasiaDatasetConfig(root=tmp_path, names_file=tmp_path / "names.txt")
    assert "no list of names" in config.missing().what
    (tmp_path / "names.txt").write_text("0000045 A.J._Buckley\n")
    assert config.missing() is None
    assert config.names(["0000045", "9"]) == {"0000045": "ajbuckley"}
    assert config.identity() == CasiaDatasetConfig(root=tmp_path).identity()


def test_what_is_missing_is_said(tmp_path):
    assert "no CASIA-WebFace subjects" in CasiaDatasetConfig(root=tmp_path).missing().what

from PIL import Image

from datamodules.datasets.vggface2 import VGGFace2DatasetConfig


def test_what_is_missing_is_said(tmp_path):
    missing = VGGFace2DatasetConfig(root=tmp_path).missing()
    assert f"{tmp_path}/test/n000001/0001_01.jpg" in missing.what
    assert "on request" in missing.remedy
    (tmp_path / "test").mkdir()
    assert VGGFace2DatasetConfig(root=tmp_path).missing() is not None


def test_the_split_is_a_folder(tmp_path):
    for split, subject in (("train", "n000002"), ("test", "n000001")):
        (tmp_path / split / subject).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / split / subject / "0001_01.jpg")
    assert VGGFace2DatasetConfig(root=tmp_path).missing() is None
    assert VGGFace2DatasetConfig(root=tmp_path).scan(tmp_path / "cache").keys == ("n000001/0001_01.jpg",)
    assert VGGFace2DatasetConfig(root=tmp_path, split="train").scan(tmp_path / "cache").identities == ("n000002",)
    assert VGGFace2DatasetConfig(root=tmp_path).namespace == "vggface2"


def test_names_come_from_identity_meta(tmp_path):
    (tmp_path / "test" / "n000001").mkdir(parents=True)
    config = VGGFace2DatasetConfig(root=tmp_path, names_file=tmp_path / "identity_meta.csv")
    assert "no list of names" in config.missing().what
    (tmp_path / "identity_meta.csv").write_text(
        'Class_ID, Name, Sample_Num, Flag, Gender\nn000001, "14th_Dalai_Lama",424,0, m,\n'
    )
    assert config.missing() is None
    assert config.names(["n000001", "n9"]) == {"n000001": "14thdalailama"}
    assert VGGFace2DatasetConfig(root=tmp_path).names(["n000001"]) == {}
    assert config.identity() == VGGFace2DatasetConfig(root=tmp_path).identity()

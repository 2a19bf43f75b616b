import pytest
from PIL import Image

from datamodules.datasets.agedb import AgeDBDatasetConfig


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (len(name), 0, 0)).save(folder / name)
    return folder


def test_names_tell_subject_age_and_gender(tmp_path):
    config = AgeDBDatasetConfig(
        root=put(tmp_path / "a", "0_MariaCallas_35_f.jpg", "1_MariaCallas_70_f.jpg", "more/2_JohnGielgud_20_m.jpg")
    )
    manifest = config.scan(tmp_path / "cache")
    assert manifest.identities == ("JohnGielgud", "MariaCallas", "MariaCallas")
    assert manifest.keys[0] == "more/2_JohnGielgud_20_m.jpg"
    found = config.columns(manifest)
    assert found["age_years"].values.tolist() == [20, 35, 70]
    assert found["gender"].values.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "name", ["MariaCallas_35_f.jpg", "0_MariaCallas_f.jpg", "0_MariaCallas_35_x.jpg", "0_MariaCallas_351_f.jpg"]
)
def test_a_wrong_name_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=name.replace(".", r"\.") + ": expected a name such as"):
        AgeDBDatasetConfig(root=put(tmp_path / "a", name)).images()


def test_what_is_missing_is_said(tmp_path):
    assert "no folder" in AgeDBDatasetConfig(root=tmp_path / "none").missing().what
    assert "no images" in AgeDBDatasetConfig(root=tmp_path).missing().what
    assert "password" in AgeDBDatasetConfig(root=tmp_path).missing().remedy


def test_a_linked_folder_counts_once(tmp_path):
    put(tmp_path / "elsewhere", "1_Anna_30_f.jpg")
    root = put(tmp_path / "a", "0_MariaCallas_35_f.jpg")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "circle").symlink_to(root)
    assert [key for key, _ in AgeDBDatasetConfig(root=root).images()] == ["link/1_Anna_30_f.jpg", "0_MariaCallas_35_f.jpg"]

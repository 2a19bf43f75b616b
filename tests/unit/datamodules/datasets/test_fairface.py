import pytest
from PIL import Image

from datamodules.datasets.fairface import FairFaceDatasetConfig
from datamodules.reference_sizes import COUNTS

BANDS = ("0-2", "3-9", "10-19")


@pytest.fixture
def root(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        rows = []
        for number in range(1, 11):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / split / f"{number}.jpg")
            rows.append(f"{split}/{number}.jpg,{BANDS[number % 3]},Female,Black,False")
        (tmp_path / f"fairface_label_{split}.csv").write_text("\n".join(["file,age,gender,race,service_test", *rows]))
    return tmp_path


def test_every_image_is_its_own_subject(root, tmp_path):
    config = FairFaceDatasetConfig(root=root)
    assert config.missing() is None
    manifest = config.scan(tmp_path / "cache")
    assert len(manifest) == 10
    assert manifest.identities == manifest.keys
    assert config.namespace == "fairface"
    assert FairFaceDatasetConfig(root=root, split="val").scan(tmp_path / "cache").keys[0] == "val/1.jpg"


def test_columns_are_those_of_the_manifests_rows(root, tmp_path):
    config = FairFaceDatasetConfig(root=root)
    manifest = config.scan(tmp_path / "cache").subset([3, 0])
    found = config.columns(manifest)
    assert found["age"].values.tolist() == [1, 1]
    assert found["gender"].counts() == {"Male": 0, "Female": 2}
    assert found["race"].counts()["Black"] == 2


def test_a_part_of_the_split_may_be_held_out(root):
    parts = {
        part: {key for key, _ in FairFaceDatasetConfig(root=root, part=part).images()} for part in ("all", "fit", "held_out")
    }
    assert len(parts["held_out"]) == 2
    assert parts["fit"] | parts["held_out"] == parts["all"]
    assert not parts["fit"] & parts["held_out"]
    assert {key for key, _ in FairFaceDatasetConfig(root=root, part="held_out", held_seed=1).images()} != parts["held_out"]


def test_a_fifth_of_the_training_part_is_that_of_the_paper():
    import math

    assert math.ceil(0.2 * COUNTS["fairface", "train"][0]) == 17349


def test_damaged_ages_follow_the_policy(root, tmp_path):
    file = root / "fairface_label_train.csv"
    file.write_text(file.read_text().replace("3-9", "9-Mar"))
    with pytest.raises(ValueError, match="4 of 10 ages are damaged"):
        FairFaceDatasetConfig(root=root).images()
    config = FairFaceDatasetConfig(root=root, on_damaged_age="repair")
    assert config.table().repaired == 4
    assert config.repairs() == "4 ages that a spreadsheet had made dates"
    assert config.columns(config.scan(tmp_path / "cache"))["age"].counts()["3-9"] == 4


def test_an_absent_image_is_named(root, tmp_path):
    (root / "train/3.jpg").unlink()
    with pytest.raises(ValueError, match=r"train/3\.jpg"):
        FairFaceDatasetConfig(root=root).scan(tmp_path / "cache")


def test_what_is_missing_is_said(root, tmp_path):
    assert "fairface_label_train.csv" in FairFaceDatasetConfig(root=tmp_path / "none").missing().what
    assert "CC BY 4.0" in FairFaceDatasetConfig(root=tmp_path / "none").missing().remedy
    with pytest.raises(ValueError, match="names no subjects"):
        FairFaceDatasetConfig(root=root, min_images=2)


def test_the_published_validation_split_is_marked(root, tmp_path):
    config = FairFaceDatasetConfig(root=root, split="both")
    manifest = config.scan(tmp_path / "cache")
    held = config.official_validation(manifest)
    assert [key for key, one in zip(manifest.keys, held, strict=True) if one] == [f"val/{n}.jpg" for n in range(1, 11)]
    assert len(manifest) == 20
    assert FairFaceDatasetConfig(root=root).official_validation(manifest) is None
    (root / "fairface_label_val.csv").unlink()
    assert "fairface_label_val.csv" in config.missing().what


def test_rows_without_a_label_are_counted_and_unknown_to_their_column_only(root, tmp_path):
    file = root / "fairface_label_train.csv"
    file.write_text(file.read_text().replace("train/3.jpg,0-2,Female", "train/3.jpg,,Female"))
    with pytest.raises(ValueError, match=r"line 4: no age of train/3\.jpg; 1 labels of 10 images"):
        FairFaceDatasetConfig(root=root).images()
    config = FairFaceDatasetConfig(root=root, on_missing_label="unknown")
    manifest = config.scan(tmp_path / "cache")
    found = config.columns(manifest)
    assert len(manifest) == 10
    assert (found["age"].known.sum(), found["gender"].known.sum()) == (9, 10)
    assert config.repairs() == "1 images without age"


def test_fewer_images_of_a_class(root):
    whole = FairFaceDatasetConfig(root=root).images()
    config = FairFaceDatasetConfig(root=root, subsample={"age": {"3-9": 0.5}})
    assert len(whole) - len(config.images()) == 2  # four of ten are 3-9
    with pytest.raises(ValueError, match=r"subsample\.age: no image has the class '20-29' \(known: 0-2, 10-19, 3-9\)"):
        FairFaceDatasetConfig(root=root, subsample={"age": {"20-29": 0.5}}).images()

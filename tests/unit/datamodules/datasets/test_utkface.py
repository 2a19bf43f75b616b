import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datamodules.datasets.utkface import UTKFaceDatasetConfig, parts

GOOD = ("26_1_2_20170116184024662.jpg.chip.jpg", "1_0_4_20170109150557335.jpg")
BAD = ("61_1_20170109150557335.jpg.chip.jpg", "39_1_20170116174525125.jpg.chip.jpg")


def put(folder, names):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / name)
    return folder


def test_names_tell_age_gender_and_race(tmp_path):
    config = UTKFaceDatasetConfig(root=put(tmp_path / "utk", GOOD))
    manifest = config.scan(tmp_path / "cache")
    assert manifest.keys == manifest.identities == tuple(sorted(GOOD))
    found = config.columns(manifest)
    assert {name: column.values.tolist() for name, column in found.items()} == {
        "age": [0, 3],
        "age_years": [1, 26],
        "gender": [0, 1],
        "race": [4, 2],
    }
    assert found["race"].classes == ("White", "Black", "Asian", "Indian", "Others")


def test_wrong_names_are_counted_and_named_by_policy(tmp_path):
    root = put(tmp_path / "utk", (*GOOD, *BAD))
    with pytest.raises(
        ValueError, match=r"39_1_2017.*the name is not age_sex_race_time; 2 of 4 names are wrong; on_bad_name: skip"
    ):
        UTKFaceDatasetConfig(root=root).images()
    config = UTKFaceDatasetConfig(root=root, on_bad_name="skip")
    manifest = config.scan(tmp_path / "cache")
    assert set(manifest.skipped) == set(BAD)
    assert len(manifest) == 2
    assert config.manifest(tmp_path / "cache").skipped == manifest.skipped
    with pytest.raises(ValueError, match="2 of 2 names are wrong"):
        UTKFaceDatasetConfig(root=put(tmp_path / "bad", BAD), on_bad_name="skip").images()


@pytest.mark.parametrize(
    "name",
    [
        "999_0_0_20170109150557335.jpg",
        "a_0_0_20170109150557335.jpg",
        "1_2_0_20170109150557335.jpg",
        "1_0_5_20170109150557335.jpg",
        "1_0_0_.jpg",
        "1_0__20170109150557335.jpg",
        "٣_0_0_20170109150557335x.jpg",
    ],
)
def test_malformed_names_tell_nothing(name):
    assert parts(name) is None


@given(st.text(max_size=40))
def test_any_name_is_read_or_not(name):
    found = parts(name)
    assert found is None or 0 <= found[0] <= 150


@given(st.integers(0, 150), st.integers(0, 1), st.integers(0, 4), st.integers(10**16, 10**17 - 1))
def test_every_well_formed_name_is_read(age, sex, race, time):
    assert parts(f"{age}_{sex}_{race}_{time}.jpg") == (age, sex, race)


def test_what_is_missing_is_said(tmp_path):
    assert "no folder" in UTKFaceDatasetConfig(root=tmp_path / "none").missing().what
    (tmp_path / "images").mkdir()
    assert "no images" in UTKFaceDatasetConfig(root=tmp_path).missing().what
    with pytest.raises(ValueError, match="names no subjects"):
        UTKFaceDatasetConfig(root=tmp_path, min_images=2)


def test_the_real_names_are_well_formed(shared):
    config = UTKFaceDatasetConfig(root=shared / "data" / "utkface")
    images = config.images()
    assert len(images) == 3679
    assert {parts(key)[2] for key, _ in images} == set(range(5))


def test_parts_and_subsamples_go_by_the_labels_in_the_names(tmp_path):
    names = [f"{20 + number % 3}_{number % 2}_{number % 5}_2017010915055{number:04d}.jpg" for number in range(50)]
    root = put(tmp_path / "utk", names)
    held = {key for key, _ in UTKFaceDatasetConfig(root=root, part="held_out", held_share=0.3).images()}
    fit = {key for key, _ in UTKFaceDatasetConfig(root=root, part="fit", held_share=0.3).images()}
    assert (len(held), held | fit, held & fit) == (15, set(names), set())
    config = UTKFaceDatasetConfig(root=root, subsample={"race": {"Indian": 0.2}, "gender": {"Male": 0.0}})
    found = config.columns(config.scan(tmp_path / "cache"))
    assert found["gender"].counts()["Male"] == 0
    assert found["race"].counts()["Indian"] <= 2
    assert found["race"].counts()["White"] == 5

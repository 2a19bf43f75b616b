import numpy as np
import pytest
from PIL import Image

from datamodules.datasets.flat import FlatDatasetConfig as Flat
from datamodules.datasets.folder import FolderDatasetConfig
from datamodules.formats.files import choose, subject_folders


@pytest.fixture
def root(tmp_path):
    for subject, count in (("bob", 3), ("ada", 2), ("eve", 1)):
        (tmp_path / "faces" / subject).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (8 + index, 8), (index, 0, 0)).save(tmp_path / "faces" / subject / f"{index}.png")
    return tmp_path / "faces"


def test_files_are_sorted_by_subject_and_name(root):
    (root / "ada" / "notes.txt").write_text("no image")
    (root / "ada" / "._0.png").write_text("left by a file manager")
    (root / ".hidden").mkdir()
    (root / "stray.png").write_text("")
    keys = [key for key, _ in subject_folders(root)]
    assert keys == ["ada/0.png", "ada/1.png", "bob/0.png", "bob/1.png", "bob/2.png", "eve/0.png"]


def test_subjects_with_few_images_are_left_out_before_subjects_are_counted():
    images = [("a1", "a"), ("b1", "b"), ("b2", "b"), ("c1", "c"), ("c2", "c"), ("d1", "d"), ("d2", "d")]
    assert choose(images, 2, 2) == images[1:5]
    assert choose(images, 2, exclude=["c"]) == [images[1], images[2], images[5], images[6]]
    assert choose(images) == images


def test_a_subject_left_with_too_few_readable_images_is_left_out(root, tmp_path):
    (root / "ada" / "1.png").write_bytes(b"")
    found = FolderDatasetConfig(root=root, min_images=2, on_bad_image="skip").scan(tmp_path / "cache")
    assert set(found.identities) == {"bob"}
    assert "ada/1.png" in found.skipped
    assert FolderDatasetConfig(root=root, min_images=2, on_bad_image="skip").manifest(tmp_path / "cache") == found


def test_row_i_of_the_dataset_is_row_i_of_the_manifest(root, tmp_path):
    config = FolderDatasetConfig(root=root)
    manifest = config.scan(tmp_path / "cache")
    data = config.build(manifest.subset([4, 0]))
    assert len(data) == 2
    assert data.image(0).shape == (8, 10, 3)
    assert np.all(data.image(0)[..., 0] == 2)
    assert data.image(1).shape == (8, 8, 3)


def test_an_image_that_changed_after_the_scan_is_refused(root, tmp_path):
    config = FolderDatasetConfig(root=root)
    data = config.build(config.scan(tmp_path / "cache"))
    Image.new("RGB", (8, 8), (9, 9, 9)).save(root / "ada" / "0.png")
    with pytest.raises(ValueError, match=r"ada/0\.png: the file changed after it was scanned"):
        data.image(0)
    (root / "ada" / "1.png").unlink()
    with pytest.raises(ValueError, match=r"ada/1\.png: No such file"):
        data.image(1)


PIXELS = Image.new("RGB", (9, 9))


def put(root, *keys):
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        PIXELS.save(root / key)


def test_images_that_are_not_as_deep_as_the_others_are_counted_and_named(tmp_path):
    put(tmp_path, "a/1.png", "b/1.png")
    assert FolderDatasetConfig(root=tmp_path).left_out() == {}
    put(tmp_path, "loose.png", "a/deep/2.png", "a/deep/er/3.PNG", "c/deep/1.png", ".hidden/x/1.png", "a/.hidden.png")
    assert FolderDatasetConfig(root=tmp_path).misplaced() == ["a/deep/2.png", "a/deep/er/3.PNG", "c/deep/1.png", "loose.png"]
    assert FolderDatasetConfig(root=tmp_path).left_out() == {
        "misplaced": "4 images such as a/deep/2.png, in other places than <identity>/<image>"
    }


def test_images_behind_links_are_counted_once_and_loops_end(tmp_path):
    put(tmp_path / "data", "a/1.png")
    put(tmp_path / "elsewhere", "x/1.png")
    (tmp_path / "data" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "a" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "a" / "self").symlink_to(tmp_path / "data" / "a" / "self")
    assert FolderDatasetConfig(root=tmp_path / "data").misplaced() == ["b/x/1.png"]


def test_in_a_flat_folder_images_of_subfolders_are_misplaced(tmp_path):
    put(tmp_path, "a_1.png", "b_1.png", "more/c_1.png", "moving.gif")
    assert Flat(root=tmp_path).left_out() == {
        "unread": "the image moving.gif, of formats other than jpg, jpeg, png, bmp, webp, ppm",
        "misplaced": "the image more/c_1.png, in other places than <image>",
    }


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (None, "images returned None; expected a list of"),
        (["a.jpg"], "images returned as item 0 'a.jpg'"),
        ([("a.jpg", "a"), ("b.jpg",)], "images returned as item 1 a tuple of length 1"),
        ([("a.jpg", 7)], "images returned as item 0 a tuple of length 2"),
        (lambda: choose([("a.jpg",)]), "choose was given a tuple of length 1"),
    ],
)
def test_a_list_without_subjects_names_the_dataset(root, tmp_path, monkeypatch, images, said):
    found = images if callable(images) else lambda: images
    monkeypatch.setattr(FolderDatasetConfig, "images", lambda self: found())
    for read in (FolderDatasetConfig(root=root).manifest, FolderDatasetConfig(root=root).scan):
        with pytest.raises(ValueError, match=f"^dataset 'folder': {said}.*docs/extending/dataset.md$"):
            read(tmp_path / "cache")

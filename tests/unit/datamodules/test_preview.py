import shutil

import numpy as np
import pytest

from datamodules.augmentations import basic, batch, flip, none
from datamodules.augmentations._base import augmentation_seed
from datamodules.augmentations.pipeline import PipelineConfig as Pipeline
from datamodules.contact_sheet import contact_sheet
from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
from datamodules.datasets.folder import FolderDatasetConfig as Folder
from datamodules.detectors import mtcnn
from datamodules.detectors import none as whole
from datamodules.preview import show

FACES = Drawn(subjects=5, shots=3, size=64)
ONE = Drawn(subjects=1, shots=1, size=64)


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        (basic.BasicConfig(flip=1.0, move=0.0, light=1.0), "flip, light"),
        (batch.BatchConfig(gray=0.5, erase=1.0), "batch"),
    ],
    ids=["basic", "batch"],
)
def test_a_row_is_the_crop_and_what_training_sees_in_its_epochs(config, changed):
    augment = config.build()
    crop = (
        whole.NoDetectorConfig()
        .build()
        .crop(ONE.build(ONE.manifest(None)).image(0), whole.NoDetectorConfig().build().of_size(64, 64), 100)
    )
    images = [crop, *(augment(crop, augmentation_seed(9, epoch, 0)) for epoch in range(3))]
    large = [image.repeat(2, axis=0).repeat(2, axis=1) for image in images]
    labels = ["person-00000/shot-000", *(f"{epoch}: {changed}" for epoch in range(3))]
    expected = contact_sheet(large, columns=4, labels=labels)
    assert np.array_equal(show(ONE, None, config, count=1, size=100, seed=9, epochs=3), expected)


def test_the_same_arguments_give_the_same_image_and_another_seed_another():
    sheets = [show(FACES, None, basic.BasicConfig(), count=3, size=64, seed=seed, epochs=2) for seed in (1, 1, 2)]
    assert np.array_equal(sheets[0], sheets[1])
    assert not np.array_equal(sheets[0], sheets[2])
    assert len({show(FACES, count=2, size=64, seed=seed).tobytes() for seed in range(8)}) > 2  # images are drawn, too


def test_labels_name_the_steps_that_changed_the_image():
    steps = Pipeline(steps=[flip.FlipConfig(p=1.0), flip.FlipConfig(p=0.0), none.NoAugmentationConfig()])
    crop = ONE.build(ONE.manifest(None)).image(0)
    large = [image.repeat(3, axis=0).repeat(3, axis=1) for image in (crop, crop[:, ::-1])]
    expected = contact_sheet(large, columns=2, labels=["person-00000/shot-000", "0: flip"])
    assert np.array_equal(show(ONE, None, steps, count=1, size=64, epochs=1), expected)
    unchanged = contact_sheet([large[0]] * 2, columns=2, labels=["person-00000/shot-000", "0: as it is"])
    assert np.array_equal(show(ONE, None, none.NoAugmentationConfig(), count=1, size=64, epochs=1), unchanged)


def test_every_step_of_a_long_pipeline_is_named(monkeypatch):
    steps = ["flip", "jpeg", "coarse_dropout", "blur", "erase_parts", "rotate", "zoom", "color", "cutout"]
    always = [{"name": name, "p" if name == "flip" else "probability": 1.0} for name in steps]
    seen, draw = [], contact_sheet
    monkeypatch.setattr(
        "datamodules.preview.contact_sheet", lambda *a, labels, **k: seen.extend(labels) or draw(*a, labels=labels, **k)
    )
    show(ONE, None, Pipeline(steps=always), count=1, size=64, epochs=1)
    assert " ".join(seen[1].split()) == f"0: {', '.join(steps)}"
    assert max(map(len, seen[1].splitlines())) <= 192 / 6.2


def test_without_augmentation_the_crops_stand_alone():
    assert show(FACES, count=4, size=64).shape == (4 * (192 + 14 + 2) + 2, 192 + 4, 3)


def test_rows_are_of_different_subjects_as_far_as_there_are_such(monkeypatch):
    seen, build = [], Drawn.build
    monkeypatch.setattr(Drawn, "build", lambda self, manifest: seen.append(manifest) or build(self, manifest))
    show(FACES, count=5, size=64)
    assert len(set(seen[-1].identities)) == 5
    show(FACES, count=8, size=64)
    assert len(set(seen[-1].keys)) == 8
    assert len(set(seen[-1].identities)) == 5
    show(FACES, count=99, size=64)
    assert seen[-1].keys == FACES.manifest(None).keys


def test_a_crop_need_not_be_square():
    assert show(ONE, None, None, count=1, size=(112, 96)).shape == (2 * 112 + 14 + 4, 2 * 96 + 4, 3)


def test_a_face_that_was_not_found_is_said_or_refused(monkeypatch):
    monkeypatch.setattr(mtcnn.Mtcnn, "detect", lambda self, images: [mtcnn.MISSED] * len(images))
    found = show(ONE, mtcnn.MTCNNConfig(), None, count=1, size=240)
    crop = mtcnn.MTCNNConfig().build().crop(ONE.build(ONE.manifest(None)).image(0), mtcnn.MISSED, 240)
    assert np.array_equal(found, contact_sheet([crop], columns=1, labels=["person-00000/shot-000 (no face found)"]))
    with pytest.raises(ValueError, match="no face found in person-00000/shot-000; 1 of 1"):
        show(ONE, mtcnn.MTCNNConfig(on_missing_face="fail"), None, count=1)


def test_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="at least 1 image"):
        show(ONE, count=0)


def test_real_faces_are_shown(shared, tmp_path):
    for name in ("Ann_Veneman", "George_Clooney", "Kofi_Annan"):
        shutil.copytree(shared / "data" / "lfw" / "images" / name, tmp_path / "faces" / name)
    data = Folder(root=tmp_path / "faces")
    steps = Pipeline(steps=["flip", "jpeg", "erase_parts"])
    sheet = show(data, mtcnn.MTCNNConfig(), steps, count=2, size=112, epochs=3, cache=tmp_path / "cache")
    assert sheet.shape == (2 * (224 + 14 + 2) + 2, 4 * 226 + 2, 3)
    assert np.array_equal(sheet, show(data, mtcnn.MTCNNConfig(), steps, count=2, size=112, epochs=3, cache=tmp_path / "cache"))

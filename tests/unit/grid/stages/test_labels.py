"""Labels of targets against what the dataset says of each image."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from configs.lookup import resolve
from datamodules.columns import Column
from datamodules.datasets.drawn import DrawnDatasetConfig
from grid.spec.training import Training
from grid.stages.context import Faces
from grid.stages.labels import class_counts, explained_rows, known_counts, labels_of, rows_of


def faces_and(**settings: Any) -> tuple[Any, Training]:
    data = resolve("data", {"name": "drawn", "subjects": 12, "shots": settings.pop("shots", 2), "size": 64})
    manifest = data.manifest(Path())
    training = Training(data=data, backbone="alexnet", recipe={"name": "one_cycle"}, **settings)
    crops: Any = SimpleNamespace(kept=np.delete(np.arange(len(manifest)), 3))  # no face was found in image 3
    return Faces(manifest, crops, manifest.identities), training


def test_without_targets_the_label_is_the_identity_by_name() -> None:
    faces, training = faces_and()
    found = labels_of(faces.manifest, training)
    assert found.names == tuple(sorted(set(faces.identities)))
    assert [found.names[label] for label in found.values] == list(faces.identities)
    assert (found.values.dtype, found.classes) == (np.int64, 12)
    assert found.primary is found.values
    assert known_counts(found, np.arange(3)) == {}


def test_each_target_has_a_column_of_labels_in_the_order_of_their_names() -> None:
    faces, training = faces_and(targets={"identity": {}, "gender": {}, "age_years": {"loss": "regression"}})
    found, columns = labels_of(faces.manifest, training), training.data.columns(faces.manifest)
    assert found.classes == {"age_years": 0, "gender": 2, "identity": 12}
    assert found.values.dtype == np.float32
    assert found.values[:, 0].tolist() == columns["age_years"].values.tolist()
    assert found.values[:, 1].tolist() == columns["gender"].values.tolist()
    assert [found.names[int(label)] for label in found.values[:, 2]] == list(faces.identities)
    assert found.primary.tolist() == found.values[:, 2].tolist()
    assert known_counts(found, np.arange(5)) == {"age_years": 5, "gender": 5, "identity": 5}


def test_an_identity_that_is_held_out_has_no_class_and_its_other_targets_have() -> None:
    faces, training = faces_and(targets=["gender", "identity"], split={"by": "identities", "fraction": 0.25})
    found = labels_of(faces.manifest, training)
    train, validation = rows_of(faces, training)
    assert found.classes == {"gender": 2, "identity": 9}
    assert np.isnan(found.values[validation, 1]).all()
    assert np.isfinite(found.values[train, 1]).all()
    assert np.isfinite(found.values[:, 0]).all()
    assert (found.primary[validation] == -1).all()
    rows, held_out = explained_rows(faces, training, found)
    assert (rows.tolist(), held_out) == (train.tolist(), False)


def test_numbers_alone_have_no_class_to_explain() -> None:
    faces, training = faces_and(targets={"age_years": {"loss": "regression"}})
    found = labels_of(faces.manifest, training)
    assert (found.names, set(found.primary.tolist())) == ((), {-1})
    assert explained_rows(faces, training, found)[1]


class HalfKnown(DrawnDatasetConfig):
    """Of every second image the gender is not known."""

    def columns(self, manifest: Any) -> dict[str, Column]:
        gender = super().columns(manifest)["gender"]
        return {"gender": Column(np.where(np.arange(len(gender)) % 2, -1, gender.values), gender.classes)}


def test_images_whose_class_is_not_known_are_not_explained() -> None:
    faces, training = faces_and(targets=["gender"], split={"fraction": 0.5})
    training = training.model_copy(update={"data": HalfKnown(subjects=12, shots=2, size=64)})
    found = labels_of(faces.manifest, training)
    assert np.isnan(found.values[1::2, 0]).all()
    assert np.isfinite(found.values[::2, 0]).all()
    assert known_counts(found, np.arange(6)) == {"gender": 3}
    rows, held_out = explained_rows(faces, training, found)
    assert held_out
    assert set(rows.tolist()) == {row for row in rows_of(faces, training)[1].tolist() if row % 2 == 0}


@pytest.mark.parametrize("shots", [1, 4])
def test_validation_rows_have_every_class_of_the_targets_and_only_faces_that_were_found(shots: int) -> None:
    faces, training = faces_and(targets=["gender"], split={"fraction": 0.25}, shots=shots)
    train, validation = rows_of(faces, training)
    gender = training.data.columns(faces.manifest)["gender"].values
    assert set(gender[validation]) == set(gender[train]) == {0, 1}
    assert sorted([*train, *validation]) == [row for row in range(12 * shots) if row != 3]
    assert explained_rows(faces, training, labels_of(faces.manifest, training))[0].tolist() == validation.tolist()


def test_bins_and_merged_classes_are_learned_and_counted() -> None:
    targets = {"group": {"column": "age_years", "edges": [0, 30, 50]}, "age_years": {"loss": "regression"}}
    faces, training = faces_and(targets=targets, shots=4)
    found, years = labels_of(faces.manifest, training), training.data.columns(faces.manifest)["age_years"].values
    assert found.classes == {"age_years": 0, "group": 3}
    assert found.values[:, 1].tolist() == [0 if one < 30 else 1 if one < 50 else 2 for one in years]
    assert found.names == ("0-29", "30-49", "50+")
    rows = np.arange(10)
    counts = class_counts(faces, training, rows)
    assert counts == {
        "group": [
            ["0-29", int((years[rows] < 30).sum())],
            ["30-49", int(((years[rows] >= 30) & (years[rows] < 50)).sum())],
            ["50+", int((years[rows] >= 50).sum())],
        ]
    }


class OfficiallySplit(DrawnDatasetConfig):
    """The first ten images are the published validation split."""

    def official_validation(self, manifest: Any) -> np.ndarray:
        return np.arange(len(manifest.keys)) < 10


def test_the_official_split_holds_out_the_published_images() -> None:
    faces, training = faces_and(targets=["gender"], split={"by": "official"}, shots=4)
    training = training.model_copy(update={"data": OfficiallySplit(subjects=12, shots=4, size=64)})
    train, validation = rows_of(faces, training)
    assert validation.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]  # no face was found in image 3
    assert train.tolist() == list(range(10, 48))


def test_families_stay_on_one_side() -> None:
    faces, training = faces_and(targets=["gender"], split={"by": "families", "near": 3, "fraction": 0.25}, shots=4)
    asked: list[int] = []
    family = np.arange(48) // 4 * 4  # one of each subject
    faces = dataclasses.replace(faces, family=lambda bits: asked.append(bits) or family)
    train, validation = rows_of(faces, training)
    assert asked == [3]
    assert len({faces.identities[row] for row in validation}) == 3
    assert not {faces.identities[row] for row in train} & {faces.identities[row] for row in validation}
    with pytest.raises(ValueError, match="families keeps all images of a subject on one side"):
        faces_and(split={"by": "families"})


class Alone(DrawnDatasetConfig):
    """Drawn faces whose identities are not known: every image is its own."""

    identified: ClassVar[bool] = False


@pytest.mark.parametrize("targets", [{"gender": {}}, {"age_years": {"loss": "regression"}}])
def test_a_share_of_images_without_identities_is_that_of_each_combination_of_classes(targets: dict[str, Any]) -> None:
    kept = {}
    for share in (1.0, 0.5):
        faces, training = faces_and(shots=8, targets=targets, split={"fraction": 0.25, "share": share})
        alone = training.model_copy(update={"data": Alone.model_validate(training.data.model_dump())})
        names = tuple(str(row) for row in range(len(faces.identities)))
        train, _ = rows_of(dataclasses.replace(faces, identities=names), alone)
        kept[share] = {str(key) for key in np.array(faces.manifest.keys)[train]}
    assert kept[0.5] < kept[1.0]
    assert len(kept[0.5]) == pytest.approx(len(kept[1.0]) / 2, abs=2)

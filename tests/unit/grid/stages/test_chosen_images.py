"""Images that explainers name are checked before anything is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.columns import Column
from datamodules.datasets.drawn import DrawnDatasetConfig
from datamodules.split import held_identities
from grid.plan.plan import make_plan
from grid.spec.grid_file import BadInput, Grid
from grid.spec.training import Training
from grid.stages.chosen_images import check_chosen, check_classes
from grid.stages.labels import labels_of

SUBJECTS = [f"person-{number:05d}" for number in range(4)]
SPLIT = {"by": "identities", "fraction": 0.5}
HELD = held_identities(SUBJECTS, 0.5, 0)
TRAINED = sorted(set(SUBJECTS) - set(HELD))


def choosing(key: str) -> list[dict[str, Any]]:
    return [{"name": "gradcam", "images": 1, "chosen": [key]}]


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        (f"{HELD[0]}/shot-000", f"image '{HELD[0]}/shot-000' has no class to explain: its subject is held out"),
        ("nobody.png", "no image 'nobody.png' among 16 (nearest: "),
    ],
)
def test_a_grid_file_that_names_them_is_refused(make: Callable[..., Grid], key: str, complaint: str) -> None:
    with pytest.raises(BadInput) as error:
        check_chosen(make_plan(make(axes={}, base={"split": SPLIT}, explainers=choosing(key))))
    assert "grid.yaml: explainers: gradcam: chosen: the training data: " + complaint in str(error.value)


def test_images_of_the_classes_are_not_refused(make: Callable[..., Grid]) -> None:
    check_chosen(make_plan(make(axes={}, base={"split": SPLIT}, explainers=choosing(f"{TRAINED[0]}/shot-000"))))
    plain = {
        "split": SPLIT,
        "loss": "triplet",
        "batches": {"name": "pk", "images": 4},
    }  # a network without classes says so itself
    check_chosen(make_plan(make(axes={}, base=plain, explainers=choosing(f"{HELD[0]}/shot-000"))))


class HalfKnown(DrawnDatasetConfig):
    """Of every second image the gender is not known."""

    def columns(self, manifest: Any) -> dict[str, Column]:
        gender = super().columns(manifest)["gender"]
        return {"gender": Column(np.where(np.arange(len(gender)) % 2, -1, gender.values), gender.classes)}


def test_an_image_whose_class_is_unknown_is_named_with_one_whose_class_is_known() -> None:
    data = HalfKnown(subjects=12, shots=2, size=64)
    manifest = data.manifest(Path())
    training = Training(
        data=DrawnDatasetConfig(subjects=12, shots=2, size=64),
        backbone="alexnet",
        recipe={"name": "one_cycle"},
        targets=["gender"],
    )
    labels = labels_of(manifest, training.model_copy(update={"data": data}))
    check_classes(manifest.keys, [manifest.keys[0]], labels, training)
    with pytest.raises(ValueError, match=f"its gender is unknown; 12 of 24 images have one, such as '{manifest.keys[0]}'"):
        check_classes(manifest.keys, [manifest.keys[0], manifest.keys[3]], labels, training)

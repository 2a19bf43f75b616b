import pytest

from configs.lookup import resolve
from modules.targets import Measured, TargetPart, TargetsConfig
from modules.training.target_validation import TargetValidation

SOFTMAX, REGRESSION, TRIPLET = (resolve("loss", name) for name in ("softmax", "regression", "triplet"))
PARTS = {
    "age": TargetPart(loss=REGRESSION, weight=0.5),
    "gender": TargetPart(loss=SOFTMAX),
    "identity": TargetPart(loss=TRIPLET, weight=2.0),
}


def test_an_epoch_is_the_mean_over_its_images_and_the_loss_their_weighted_sum():
    epoch = TargetValidation(TargetsConfig(parts=PARTS))
    epoch.add({"age": Measured(2.0, 9.0, 2), "gender": Measured(3.0, 1.0, 2), "identity": Measured(1.0, None, 1)}, 4)
    epoch.add({"age": Measured(1.0, 3.0, 1), "gender": Measured(0.5, 2.0, 2), "identity": Measured(2.0, None, 2)}, 4)
    loss, accuracy, row = epoch.result(list)
    assert (epoch.images, accuracy) == (8, None)  # the identity is primary, and a triplet loss classifies nothing
    assert loss == pytest.approx(0.5 * 1 + 3.5 / 4 + 2 * 1)
    assert row == {
        "validation_loss_age": 1.0,
        "validation_mae_age": 4.0,
        "validation_loss_gender": 3.5 / 4,
        "validation_accuracy_gender": 0.75,
        "validation_loss_identity": 1.0,
    }


def test_a_target_without_a_known_value_has_none_and_is_no_part_of_the_loss():
    epoch = TargetValidation(TargetsConfig(parts={name: PARTS[name] for name in ("age", "gender")}))
    epoch.add({"age": Measured(0.0, 0.0, 0), "gender": Measured(3.0, 1.0, 2)}, 2)
    loss, accuracy, row = epoch.result(list)
    assert (loss, accuracy) == (1.5, 0.5)
    assert (row["validation_loss_age"], row["validation_mae_age"]) == (None, None)
    assert TargetValidation(TargetsConfig(parts=PARTS)).result(list)[0] is None


def test_devices_are_summed_before_anything_is_divided():
    epoch = TargetValidation(TargetsConfig(parts={"gender": PARTS["gender"]}))
    epoch.add({"gender": Measured(3.0, 1.0, 2)}, 2)
    loss, accuracy, _ = epoch.result(lambda sums: [value + more for value, more in zip(sums, (1.0, 2.0, 2.0), strict=True)])
    assert (loss, accuracy) == (1.0, 0.75)

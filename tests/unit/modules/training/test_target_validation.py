import pytest
import torch

from configs.lookup import resolve
from modules.targets import Measured, TargetPart, TargetsConfig
from modules.training.target_validation import TargetValidation

SOFTMAX, REGRESSION, TRIPLET = (resolve("loss", name) for name in ("softmax", "regression", "triplet"))
PARTS = {
    "age": TargetPart(loss=REGRESSION, weight=0.5),
    "gender": TargetPart(loss=SOFTMAX),
    "identity": TargetPart(loss=TRIPLET, weight=2.0),
}
CPU = torch.device("cpu")


def losses(config):
    return config.build_on(3, dict.fromkeys(config.names, 2), (3, 1, 1)).eval()


def test_an_epoch_is_the_mean_over_its_images_and_the_loss_their_weighted_sum():
    config = TargetsConfig(parts=PARTS)
    epoch, made = TargetValidation(config), losses(config)
    points, subjects = torch.randn(8, 3), torch.tensor([0.0, 1.0, float("nan"), 2.0, 2.0, 1.0, 0.0, 2.0])
    parts = zip(points.split(4), subjects.split(4), ((2.0, 9.0, 2), (1.0, 3.0, 1)), ((3.0, 1.0, 2), (0.5, 2.0, 2)), strict=True)
    for seen, names, age, gender in parts:  # no two images of a subject are in the first batch
        known = int((~names.isnan()).sum())
        epoch.add({"age": Measured(*age), "gender": Measured(*gender), "identity": Measured(0.0, 0.0, known, (seen, names))}, 4)
    loss, accuracy, row = epoch.result(list, made, CPU)
    known = ~subjects.isnan()
    together = float(made.of("identity")(points[known], subjects[known].long()))
    assert (epoch.images, accuracy) == (8, None)  # the identity is primary, and a triplet loss classifies nothing
    assert loss == pytest.approx(0.5 * 1 + 3.5 / 4 + 2 * together)
    assert row == {
        "validation_loss_age": 1.0,
        "validation_mae_age": 4.0,
        "validation_loss_gender": 3.5 / 4,
        "validation_accuracy_gender": 0.75,
        "validation_loss_identity": together,
    }


def test_a_target_without_a_known_value_has_none_and_is_no_part_of_the_loss():
    config = TargetsConfig(parts={name: PARTS[name] for name in ("age", "gender")})
    epoch = TargetValidation(config)
    epoch.add({"age": Measured(0.0, 0.0, 0), "gender": Measured(3.0, 1.0, 2)}, 2)
    loss, accuracy, row = epoch.result(list, losses(config), CPU)
    assert (loss, accuracy) == (1.5, 0.5)
    assert (row["validation_loss_age"], row["validation_mae_age"]) == (None, None)
    config = TargetsConfig(parts=PARTS)
    assert TargetValidation(config).result(list, losses(config), CPU)[0] is None


@pytest.mark.parametrize("subjects", [[0.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 1.0, float("nan")]])
def test_a_triplet_loss_without_pairs_to_compare_has_no_value(subjects):
    config = TargetsConfig(parts={"identity": PARTS["identity"]})
    epoch = TargetValidation(config)
    epoch.add({"identity": Measured(0.0, 0.0, 3, (torch.randn(3, 3), torch.tensor(subjects)))}, 3)
    assert epoch.result(list, losses(config), CPU) == (None, None, {"validation_loss_identity": None})


def test_devices_are_summed_before_anything_is_divided():
    config = TargetsConfig(parts={"gender": PARTS["gender"]})
    epoch = TargetValidation(config)
    epoch.add({"gender": Measured(3.0, 1.0, 2)}, 2)
    others = 1.0, 2.0, 2.0
    loss, accuracy, _ = epoch.result(lambda sums: list(map(sum, zip(sums, others, strict=True))), losses(config), CPU)
    assert (loss, accuracy) == (1.0, 0.75)

"""A batch of one image is refused exactly where a real training step would fail."""

from typing import Literal

import pytest
import torch

from configs.lookup import resolve
from configs.network_interfaces import HeadConfig
from modules.training.freezing import freeze
from modules.training.single_image import check_single_image

CASES = [
    ("alexnet", "gap_bn", "all"),  # BatchNorm over pooled vectors
    ("alexnet", "dense", "all"),
    ("alexnet", "l2", "all"),
    ("resnet34", "gdc", "all"),
    ("mobilefacenet", "gdc", "all"),
    ("mobilenetv3_small", "l2", "all"),
    ("mobilenetv3_small", "l2", "none"),  # frozen statistics
    ("squeezenet", "l2", "all"),
]


@pytest.mark.parametrize(("backbone", "head", "trainable"), CASES)
def test_one_image_is_refused_where_a_training_step_on_it_fails(backbone, head, trainable):
    body, top = resolve("backbone", backbone), resolve("head", head)
    network = body.build().train()
    for layer in freeze(network, trainable) if trainable != "all" else []:
        layer.eval()
    image = torch.zeros(1, 3, 64, 64)
    told = None
    try:
        features = network(image)
        top.build(*features.shape[1:]).train()(features)
    except ValueError as error:
        told = str(error).partition("\n")[0]
    if told is None:
        check_single_image(body, top, 64, trainable)
        return
    with pytest.raises(ValueError, match=f"recipe.batch_size: {backbone} with head {head} cannot be trained on one") as mine:
        check_single_image(body, top, 64, trainable)
    assert told in str(mine.value)
    assert "\n" not in str(mine.value)


def test_an_error_without_a_message_counts():
    class Picky(torch.nn.Module):
        def forward(self, features):
            raise AssertionError  # as ``assert len(features) > 1`` does

    class PickyConfig(HeadConfig):
        name: Literal["picky"] = "picky"

        def build(self, channels, height, width):
            return Picky()

    with pytest.raises(ValueError, match=r"head picky cannot be trained on one image at a time \(AssertionError\)"):
        check_single_image(resolve("backbone", "alexnet"), PickyConfig(), 64, "all")


def test_the_cases_are_of_both_kinds():
    refused = []
    for backbone, head, trainable in CASES:
        try:
            check_single_image(resolve("backbone", backbone), resolve("head", head), 64, trainable)
        except ValueError:
            refused.append((backbone, head, trainable))
    assert 0 < len(refused) < len(CASES)
    assert ("alexnet", "gap_bn", "all") in refused


def test_no_random_number_is_drawn():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    check_single_image(resolve("backbone", "alexnet"), resolve("head", "l2"), 80, "all")
    assert torch.equal(before, torch.random.get_rng_state())

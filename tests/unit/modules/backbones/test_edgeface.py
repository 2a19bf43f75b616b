"""EdgeFace, against timm's EdgeNeXt and the published sizes."""

from typing import Any

import pytest
import timm
import torch
from one_step import small, untrained
from pretended_device import DEVICE, Pretended

from configs.lookup import resolve
from modules.backbones.edgeface import EdgeFaceConfig
from modules.layers.low_rank import LowRank
from modules.model_complexity import count
from modules.shape_inference import stage_shapes


def counted(variant: str, gamma: float | None) -> Any:
    parts: list[Any] = [
        resolve("backbone", {"name": "edgeface", "variant": variant, "gamma": gamma}),
        resolve("head", {"name": "gap_ln", "gamma": gamma}),
        resolve("loss", "softmax"),
    ]
    return count(parts[0], parts[1], parts[2], 10, 112)


@pytest.mark.parametrize(
    ("variant", "gamma", "millions", "megaflops"),
    [("xs", 0.6, 1.77, 154.00), ("s", 0.5, 3.65, 306.12), ("xxs", None, 1.24, 94.72), ("base", None, 18.23, 1398.83)],
)
def test_sizes_are_the_published_ones(variant: str, gamma: float | None, millions: float, megaflops: float) -> None:
    found = counted(variant, gamma)
    assert round(found.parameters / 1e6, 2) == millions
    assert found.flops / 1e6 == pytest.approx(megaflops, rel=0.002)


def test_at_full_rank_the_map_is_timms() -> None:
    torch.manual_seed(0)
    ours = EdgeFaceConfig(variant="xxs", gamma=None).build().eval()
    theirs = timm.create_model("edgenext_xx_small").eval()
    theirs.load_state_dict(ours.body.state_dict(), strict=False)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    assert torch.equal(ours(images), theirs.forward_features(images))


def test_a_pass_does_not_wait_for_the_device() -> None:
    with Pretended() as seen:
        backbone, images = EdgeFaceConfig(variant="xxs").build().to(DEVICE), torch.rand(2, 3, 64, 64, device=DEVICE)
        before = len(seen.waits)
        backbone(images).sum().backward()
    assert before > 0
    assert seen.waits[before:] == []


def test_every_linear_layer_has_low_rank() -> None:
    body = EdgeFaceConfig(variant="xxs", gamma=0.5).build().body
    inside = {id(part) for layer in body.modules() if isinstance(layer, LowRank) for part in layer.modules()}
    assert all(id(part) in inside for part in body.modules() if isinstance(part, torch.nn.Linear))
    product = body.get_submodule("stages.3.blocks.0.mlp.fc1")
    assert (product.linear1.weight.shape, product.linear2.weight.shape) == ((84, 168), (672, 84))


def test_stages_are_those_of_timm() -> None:
    assert stage_shapes(EdgeFaceConfig(), 112) == {
        "stages.0": (32, 28, 28), "stages.1": (64, 14, 14), "stages.2": (100, 7, 7), "stages.3": (192, 3, 3),
    }  # fmt: skip


def test_one_step_reaches_every_parameter() -> None:
    assert untrained(small({"name": "edgeface", "variant": "xxs"}, {"name": "gap_ln", "dimension": 8}, 64), 64) == []

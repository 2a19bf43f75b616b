"""What all timm backbones have in common."""

from typing import Any

import pytest
import torch

from configs.lookup import resolve

NAMES = ["alexnet", "resnet34", "efficientnet_b1", "efficientnet_lite0", "mobilenetv3_small"]


@pytest.fixture(scope="module", params=NAMES)
def backbone(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    config: Any = resolve("backbone", request.param)
    return config.build().eval()


def test_outputs_of_stages_are_not_changed_by_later_layers(backbone: Any) -> None:
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    hooks = [
        stage.register_forward_hook(lambda *call: kept.append((call[2], call[2].detach().clone())))
        for stage in backbone.stages().values()
    ]
    features = backbone(torch.rand(1, 3, 64, 64) * 2 - 1)
    for hook in hooks:
        hook.remove()
    assert len(kept) == len(backbone.stages())
    assert kept[-1][0] is features
    assert all(torch.equal(output, copy) for output, copy in kept)


def test_nothing_works_in_place(backbone: Any) -> None:
    assert [name for name, part in backbone.named_modules() if getattr(part, "inplace", False)] == []


def test_gradients_can_be_changed_at_every_activation(backbone: Any) -> None:
    acts = [part for part in backbone.modules() if isinstance(part, torch.nn.ReLU | torch.nn.ReLU6 | torch.nn.SiLU)]
    hooks = [part.register_full_backward_hook(lambda *call: (call[1][0].clamp(min=0),)) for part in acts]
    images = (torch.rand(1, 3, 64, 64) * 2 - 1).requires_grad_()
    backbone(images).sum().backward()
    for hook in hooks:
        hook.remove()
    assert images.grad is not None
    assert bool(images.grad.isfinite().all())


def test_the_same_seed_gives_the_same_weights() -> None:
    config: Any = resolve("backbone", "efficientnet_lite0")
    states = []
    for _ in range(2):
        torch.manual_seed(5)
        states.append(config.build().state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])

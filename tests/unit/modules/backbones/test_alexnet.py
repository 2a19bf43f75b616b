"""AlexNet against torchvision's."""

import torch

from modules.backbones.alexnet import AlexNetConfig


def test_with_the_same_weights_it_equals_torchvision() -> None:
    import torchvision

    with torch.device("meta"):  # the classifier alone would take 220 MB
        peer = torchvision.models.AlexNet().features
    peer = peer.to_empty(device="cpu")
    ours = AlexNetConfig().build()
    peer.load_state_dict(ours.features.state_dict())
    images = torch.rand(2, 3, 96, 80) * 2 - 1
    assert torch.equal(ours(images), peer(images))


def test_fresh_weights_are_drawn_as_torchvision_draws_them() -> None:
    from torchvision.models import AlexNet

    torch.manual_seed(3)
    ours = AlexNetConfig().build().features
    torch.manual_seed(3)
    peer = AlexNet().features  # its convolutions are drawn first
    assert all(torch.equal(one, other) for one, other in zip(ours.parameters(), peer.parameters(), strict=True))


def test_stages_are_the_activations_and_the_last_pooling() -> None:
    stages = AlexNetConfig().build().stages()
    assert list(stages) == ["relu1", "relu2", "relu3", "relu4", "relu5", "pool5"]
    kinds = [type(module).__name__ for module in stages.values()]
    assert kinds == ["ReLU"] * 5 + ["MaxPool2d"]


def test_imagenet_weights_are_pinned_by_the_digest_in_their_name() -> None:
    pinned = AlexNetConfig().weights_of("imagenet")
    assert pinned is not None
    assert pinned.file == f"alexnet-owt-{pinned.sha256}.pth"
    assert pinned.files()[0].name == pinned.file
    assert AlexNetConfig().weights_of("vggface") is None

"""Small networks and images for tests of pair explainers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modules.decoders.transposed import Transposed
from modules.heads.fc_bn import FcBn
from modules.heads.gap_bn import GapBn
from modules.heads.gdc import Gdc
from modules.heads.gmp import Gmp
from modules.heads.l2 import L2
from modules.heads.tokens import TokenHead

SIZE = 16
CHANNELS = 6
CELLS = (CHANNELS, 4, 4)


class Body(nn.Module):
    """(N, 3, 16, 16) to (N, 6, 4, 4), with positive and negative values."""

    channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1), nn.BatchNorm2d(5), nn.ReLU(inplace=True))
        self.two = nn.Sequential(nn.Conv2d(5, CHANNELS, 3, 2, 1), nn.BatchNorm2d(CHANNELS))

    def stages(self) -> dict[str, nn.Module]:
        return {"one": self.one, "two": self.two}

    def forward(self, images: Tensor) -> Tensor:
        return self.two(self.one(images))


class Classes(nn.Module):
    """The logits are the embedding's coordinates, each with a weight."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 1.5, dimension))

    def logits(self, embeddings: Tensor) -> Tensor:
        return embeddings * self.weight


class Net(nn.Module):
    """Same interface as ``modules.network.Network``: backbone, head, loss, decoder; batch statistics as if trained."""

    classifies = True

    def __init__(self, head: nn.Module, decoder: nn.Module | None = None, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = Body()
        self.head = head
        self.loss = Classes(5)
        self.decoder = decoder
        for module in self.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2)
                if module.affine:
                    nn.init.uniform_(module.weight, 0.5, 1.5)
                    nn.init.uniform_(module.bias, -0.5, 0.5)

    def features(self, images: Tensor) -> Tensor:
        return self.backbone(images)

    def embed(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def head(name: str) -> nn.Module:
    torch.manual_seed(7)
    channels, height, width = CELLS
    return {
        "gap_bn": lambda: GapBn(channels, 5, 0.5),
        "fc_bn": lambda: FcBn(channels * height * width, channels, 5, 0.4, "full"),
        "gdc": lambda: Gdc(channels, (height, width), 5),
        "l2": lambda: L2(channels, 5, "average"),
        "l2_flatten": lambda: L2(channels * height * width, 5, "flatten"),
        "l2_max": lambda: L2(channels, 5, "max"),
        "tokens": lambda: TokenHead(channels * height * width, 7, 5, "flatten"),
        "tokens_average": lambda: TokenHead(channels, 7, 5, "average"),
        "gmp": Gmp,
    }[name]()


def network(name: str = "gap_bn", decodes: bool = False, double: bool = True, seed: int = 0) -> Net:
    """A network in training mode, so that tests notice code that does not switch to evaluation mode."""
    torch.manual_seed(3)
    made = Net(head(name), Transposed([CHANNELS, 8]) if decodes else None, seed)
    return (made.double() if double else made).train()


def images(count: int = 3, seed: int = 1, double: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(count, 3, SIZE, SIZE, generator=generator, dtype=torch.float64) * 2 - 1
    return drawn if double else drawn.float()


class Bright:
    """A network without parameters; its embedding is the pooled image, 4 x 4 cells of 3 channels, and a 1 for its norm."""

    class _Body(nn.Module):
        def stages(self) -> dict[str, nn.Module]:
            return {"": self}

    def __init__(self) -> None:
        self.backbone = self._Body()

    def embed(self, images: Tensor) -> Tensor:
        cells = nn.functional.avg_pool2d(images + 1, 4).flatten(1)
        return torch.cat([cells, torch.ones_like(cells[:, :1])], 1)

    def modules(self) -> list[nn.Module]:
        return []

    def eval(self) -> Bright:
        return self


def unchanged(net: nn.Module, run) -> None:  # type: ignore[no-untyped-def]
    """Calls ``run`` and asserts that it leaves the mode, values, gradients and hooks of ``net`` unchanged."""
    net.backbone.eval()
    modes = [module.training for module in net.modules()]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    run()
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())

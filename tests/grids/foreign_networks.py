"""Networks under the public names of their layers, each written from its description without code of ours.

IR: AdaFace and CVLFace, after face.evoLVe. iresnet and ViT: arcface_torch of InsightFace, also in CVLFace. EdgeFace: timm with
linear layers of low rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (64, 128, 256, 512)


def ir(units: tuple[int, ...]) -> nn.Module:
    """(N, 3, 112, 112) to embeddings (N, 512)."""

    class Unit(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.stride = stride
            if before != after:
                shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
                self.shortcut_layer = nn.Sequential(shortcut, nn.BatchNorm2d(after))
            self.res_layer = nn.Sequential(
                nn.BatchNorm2d(before),
                nn.Conv2d(before, after, 3, 1, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.PReLU(after),
                nn.Conv2d(after, after, 3, stride, 1, bias=False),
                nn.BatchNorm2d(after),
            )

        def forward(self, given: Tensor) -> Tensor:
            way = self.shortcut_layer if hasattr(self, "shortcut_layer") else None
            short = given[:, :, :: self.stride, :: self.stride] if way is None else way(given)
            return self.res_layer(given) + short

    made = nn.Module()
    made.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
    body, before = [], 64
    for width, count in zip(WIDTHS, units, strict=True):
        for unit in range(count):
            body.append(Unit(before, width, 2 if unit == 0 else 1))
            before = width
    made.body = nn.Sequential(*body)
    last = nn.BatchNorm1d(512, affine=False)
    made.output_layer = nn.Sequential(nn.BatchNorm2d(512), nn.Dropout(0.4), nn.Flatten(), nn.Linear(512 * 49, 512), last)
    made.forward = lambda images: made.output_layer(made.body(made.input_layer(images)))  # type: ignore[method-assign]
    return shaken(made)


def iresnet(units: tuple[int, ...]) -> nn.Module:
    """(N, 3, 112, 112) to embeddings (N, 512)."""

    class Unit(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(before), nn.BatchNorm2d(after), nn.BatchNorm2d(after)
            self.conv1 = nn.Conv2d(before, after, 3, 1, 1, bias=False)
            self.prelu = nn.PReLU(after)
            self.conv2 = nn.Conv2d(after, after, 3, stride, 1, bias=False)
            if stride == 2:
                self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))

        def forward(self, given: Tensor) -> Tensor:
            found = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(given))))))
            return found + (self.downsample(given) if hasattr(self, "downsample") else given)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1, self.prelu = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
            before = 64
            for stage, (width, count) in enumerate(zip(WIDTHS, units, strict=True), start=1):
                sizes = [(before, 2)] + [(width, 1)] * (count - 1)
                setattr(self, f"layer{stage}", nn.Sequential(*(Unit(first, width, stride) for first, stride in sizes)))
                before = width
            self.bn2, self.fc, self.features = nn.BatchNorm2d(512), nn.Linear(512 * 49, 512), nn.BatchNorm1d(512)

        def forward(self, images: Tensor) -> Tensor:
            found = self.prelu(self.bn1(self.conv1(images)))
            for stage in (1, 2, 3, 4):
                found = getattr(self, f"layer{stage}")(found)
            return self.features(self.fc(self.bn2(found).flatten(1)))

    return shaken(Whole())


def vit(width: int, depth: int, heads: int, ratio: int, patch: int, masked: bool) -> nn.Module:
    """(N, 3, 112, 112) to embeddings (N, 512); attention by torch's own function."""

    class Part(nn.Module):
        def __init__(self, **parts: nn.Module) -> None:
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            side = 112 // patch
            self.patch_embed = Part(proj=nn.Conv2d(3, width, patch, patch))
            self.pos_embed = nn.Parameter(torch.zeros(1, side * side, width))
            if masked:
                self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
            blocks = []
            for _ in range(depth):
                attention = Part(qkv=nn.Linear(width, 3 * width, bias=False), proj=nn.Linear(width, width))
                mlp = Part(fc1=nn.Linear(width, ratio * width), fc2=nn.Linear(ratio * width, width))
                blocks.append(Part(norm1=nn.LayerNorm(width), attn=attention, norm2=nn.LayerNorm(width), mlp=mlp))
            self.blocks = nn.ModuleList(blocks)
            self.norm = nn.LayerNorm(width)
            self.feature = nn.Sequential(
                nn.Linear(width * side * side, width, bias=False),
                nn.BatchNorm1d(width, eps=2e-5),
                nn.Linear(width, 512, bias=False),
                nn.BatchNorm1d(512, eps=2e-5),
            )

        def forward(self, images: Tensor) -> Tensor:
            tokens = self.patch_embed.proj(images).flatten(2).transpose(1, 2) + self.pos_embed
            count, places = tokens.shape[:2]
            block: Any
            for block in self.blocks:
                split = block.attn.qkv(block.norm1(tokens)).reshape(count, places, 3, heads, width // heads)
                query, key, value = split.permute(2, 0, 3, 1, 4)
                seen = functional.scaled_dot_product_attention(query, key, value)
                tokens = tokens + block.attn.proj(seen.transpose(1, 2).reshape(count, places, width))
                tokens = tokens + block.mlp.fc2(functional.relu6(block.mlp.fc1(block.norm2(tokens))))
            return self.feature(self.norm(tokens).reshape(count, -1))

    return shaken(Whole())


def edgeface(model: str, gamma: float) -> nn.Module:
    """(N, 3, H, W) to embeddings (N, 512)."""
    import timm

    class Pair(nn.Module):
        def __init__(self, layer: nn.Linear) -> None:
            super().__init__()
            rank = max(2, int(gamma * min(layer.weight.shape)))
            self.linear1 = nn.Linear(layer.in_features, rank, bias=False)
            self.linear2 = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)

        def forward(self, given: Tensor) -> Tensor:
            return self.linear2(self.linear1(given))

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = timm.create_model(model, num_classes=512)
            for name, part in list(self.model.named_modules()):
                if isinstance(part, nn.Linear):
                    self.model.set_submodule(name, Pair(part))

        def forward(self, images: Tensor) -> Tensor:
            return self.model(images)

    return shaken(Whole())


@torch.no_grad()
def shaken(network: nn.Module) -> nn.Module:
    """In evaluation mode, with statistics and one-dimensional weights as if trained: no two alike."""
    torch.manual_seed(5)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif name.endswith(("running_mean", "bias", "pos_embed", "mask_token")):
            value.uniform_(-0.3, 0.3)
        elif value.ndim == 1 and value.is_floating_point():
            value.uniform_(0.5, 1.2)
        elif name.endswith("num_batches_tracked"):
            value.fill_(7)
    return network.eval()

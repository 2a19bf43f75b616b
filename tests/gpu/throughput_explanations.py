"""Maps against literal loops and against everything in one batch on the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from throughput_table import Row, compared, large, medians
from torch.nn import functional

from configs.lookup import resolve
from modules.attribution.cached_features import all_pairs, features
from modules.attribution.decoder_residuals import weighted
from modules.attribution.targets import ClassLogit, Cosine
from modules.network import Network

SIZE, CLASSES = 112, 100
FULL = 128  # images per full decode of the peer


def network(device: str, backbone: Any, head: Any = "gap_bn", decoder: str | None = None) -> Network:
    """With statistics of one batch, so that activations have a usual scale."""
    torch.manual_seed(0)
    parts = (("backbone", backbone), ("head", head), ("loss", "softmax"))
    made = Network(*(resolve(*part) for part in parts), CLASSES, SIZE, None if decoder is None else resolve("decoder", decoder))
    made.to(device).train()
    for module in made.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        found = made.features(images(device, 8))
        made.head(found)
        if made.decoder is not None:
            made.decoder(found)
    return made.eval()


def images(device: str, count: int) -> torch.Tensor:
    return (torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1).to(device)


@torch.no_grad()
def s_maps(device: str) -> Iterator[Row]:
    """Of the four images of two pairs; the peer decodes every masked map in full."""
    made = network(device, {"name": "iresnet", "depth": large(device, 50, 18)}, "gmp", "transposed")
    maps = made.features(images(device, large(device, 4, 1)))
    weights = torch.randn(maps.shape[1], generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def ours() -> list[np.ndarray]:
        return [weighted(made.decoder, one, weights, "per_channel", "l2")[0] for one in maps]  # type: ignore[arg-type]

    def full() -> list[np.ndarray]:
        found = []
        for one in maps:
            place, original = one.flatten(1).argmax(1), made.decoder(one[None])  # type: ignore[misc]
            total = torch.zeros(SIZE, SIZE, device=device)
            for start in range(0, len(one), FULL):
                rows = torch.arange(start, min(start + FULL, len(one)), device=device)
                masked = one.repeat(len(rows), 1, 1, 1)
                masked.flatten(2)[torch.arange(len(rows), device=device), rows, place[rows]] = 0
                residual = (made.decoder(masked) - original).abs().mean(1)  # type: ignore[misc]
                residual = residual / residual.flatten(1).norm(dim=1)[:, None, None]
                total += torch.einsum("nhw,n->hw", residual, weights.to(device)[rows].float())
            found.append(total.cpu().numpy())
        return found

    for one, other in zip(ours(), full(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-2 * np.abs(other).max())
    taken = medians(device, {"ours": ours, "peer": full}, most=10)
    yield compared("S maps, 2 pairs, iresnet-50", taken["ours"], taken["peer"], f"full decodes, batches of {FULL}", 1.0)


def score_cam(device: str) -> Iterator[Row]:
    made, given, label = network(device, "resnet34"), images(device, 1), 3
    method = resolve("explainer", {"name": "score_cam", "mode": "raw_logits", "layer": "layer3", "batch": 128}).build()
    seen: list[torch.Tensor] = []

    def ours() -> np.ndarray:
        return method.explain(made, given, ClassLogit(torch.tensor([label])), SIZE).maps[0]

    @torch.no_grad()
    def literal() -> np.ndarray:
        """Channel by channel: scale to [0, 1], enlarge, mask, and weigh by the class's logit."""
        seen.clear()
        handle = made.backbone.stages()["layer3"].register_forward_hook(lambda *found: seen.append(found[2].clone()))
        made(given)
        handle.remove()
        total = torch.zeros(seen[0].shape[2:], device=device, dtype=torch.float64)
        for channel in seen[0][0]:
            low, high = channel.min(), channel.max()
            if high > low:
                scaled = ((channel - low) / (high - low))[None, None]
                mask = functional.interpolate(scaled, (SIZE, SIZE), mode="bilinear", align_corners=False)
                total += float(made(given * mask)[0, label]) * channel.double()
        return total.clamp_min(0).float().cpu().numpy()

    one, other = ours(), literal()
    np.testing.assert_allclose(one, other, atol=1e-2 * np.abs(other).max())
    taken = medians(device, {"ours": ours, "peer": literal}, most=5)
    yield compared("Score-CAM of layer3 of ResNet-34, batch 128", taken["ours"], taken["peer"], "literal loop", 0.05)


def rise(device: str) -> Iterator[Row]:
    """The peer makes its masks on the device and never leaves it."""
    made, given, label = network(device, "resnet34"), images(device, 1), 3
    masks, batch, cells, step = large(device, 4096, 8), large(device, 256, 4), 7, SIZE // 7
    method = resolve("explainer", {"name": "rise", "masks": masks, "batch": batch}).build()

    def ours() -> np.ndarray:
        return method.explain(made, given, ClassLogit(torch.tensor([label])), SIZE).maps[0]

    @torch.no_grad()
    def there() -> np.ndarray:
        total = torch.zeros(SIZE, SIZE, device=device)
        for _ in range(masks // batch):
            grid = (torch.rand(batch, 1, cells, cells, device=device) < 0.5).float()
            side = (cells + 1) * step
            wide = functional.interpolate(grid, (side, side), mode="bilinear", align_corners=False)[:, 0]
            tops, lefts = (torch.randint(step, (batch, 1), device=device) + torch.arange(SIZE, device=device) for _ in range(2))
            cut = wide[torch.arange(batch, device=device)[:, None, None], tops[:, :, None], lefts[:, None, :]]
            scores = made(given * cut[:, None])[:, label]
            total += torch.einsum("n,nhw->hw", scores, cut)
        return (total / masks / 0.5).cpu().numpy()

    taken = medians(device, {"ours": ours, "peer": there}, most=10)
    yield compared(f"RISE, {masks:,} masks, ResNet-34, batch {batch}", taken["ours"], taken["peer"], "all on the device", 1.1)


def pairs(device: str) -> Iterator[Row]:
    """All pairs of 100 and 100 images; the literal loop is timed on some of them."""
    made, count = network(device, "resnet34"), large(device, 100, 3)
    left, right = images(device, 2 * count).chunk(2)
    method = resolve("explainer", {"name": "gradcam", "layer": "layer4", "min_side": 1}).build()
    some = large(device, 10, 1)
    with torch.no_grad():
        code = made.embed(right[:1])

    def ours() -> None:
        all_pairs(made, features(made, left), features(made, right))

    def literal() -> None:
        for image in left[:some]:
            method.explain(made, image[None], Cosine(code), SIZE)

    taken = medians(device, {"ours": ours, "peer": literal}, most=1)
    slow = taken["peer"] * 2 * count * count / some
    name = f"one by one ({some} of {2 * count * count:,} timed)"
    yield compared("all-pairs Grad-CAM, 100 x 100 images, ResNet-34", taken["ours"], slow, name, 0.02)


ROWS = {"S maps": s_maps, "Score-CAM": score_cam, "RISE": rise, "all-pairs Grad-CAM": pairs}

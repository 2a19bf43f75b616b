"""Maps of pairs against the plain ways to make them: ratios of medians, both sides measured in turn in one process.

Bars are those of the project; the tests allow half of them, for crowded machines. Numbers are compared before times are.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from configs.lookup import resolve
from modules.attribution import all_pairs, decoder_residuals
from modules.attribution.linear_heads import LinearHead
from modules.explainers import corr_rise
from modules.metrics.ranking import Binary
from modules.network import Network

SIZE = 112


def seconds(ways: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median of each way, after one call that is not counted; the ways take turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if turn:
                found[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in found.items()}


def network(head: str, decoder: str | None = None) -> Any:
    torch.manual_seed(0)
    parts = [resolve(*part) for part in (("backbone", {"name": "iresnet", "depth": 18}), ("head", head), ("loss", "softmax"))]
    made = Network(*parts, 2, SIZE, None if decoder is None else resolve("decoder", decoder))  # type: ignore[arg-type]
    for module in made.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0  # statistics are those of one batch, so that activations have a usual scale
    with torch.no_grad():
        features = made.train().features(images(8))
        made.head(features)
        if made.decoder is not None:
            made.decoder(features)
    return made.eval()


def images(count: int) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_s_maps_by_incremental_decode() -> None:
    """Of one image; the full decodes are timed on some of the 512 channels, since their time is the number of channels'."""
    net = network("gmp", "transposed")
    features = net.features(images(1))[0]
    weights = torch.randn(len(features), generator=torch.Generator().manual_seed(2)).double()
    place = features.flatten(1).argmax(1)

    def summed(channels: range, batch: int, layout: torch.memory_format) -> Tensor:
        decoder = net.decoder
        original = decoder(features[None].contiguous(memory_format=layout))
        total = torch.zeros(SIZE, SIZE)
        for start in range(channels.start, channels.stop, batch):
            rows = torch.arange(start, min(start + batch, channels.stop))
            masked = features.repeat(len(rows), 1, 1, 1)
            masked.flatten(2)[torch.arange(len(rows)), rows, place[rows]] = 0
            residual = (decoder(masked.contiguous(memory_format=layout)) - original).abs().mean(1)
            residual /= residual.flatten(1).norm(dim=1)[:, None, None]
            total += torch.einsum("nhw,n->hw", residual, weights[rows].float())
        return total

    plain, last = torch.contiguous_format, torch.channels_last
    ours, _ = decoder_residuals.weighted(net.decoder, features, weights, "per_channel", "l2")
    expected = summed(range(len(features)), 32, plain).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-3 * np.abs(expected).max())
    some, few = 64, 16
    found = seconds(
        {
            "ours": lambda: decoder_residuals.weighted(net.decoder, features, weights, "per_channel", "l2"),
            "batched": lambda: summed(range(some), 32, plain),
            "channels last": lambda: summed(range(some), 32, last),
            "literal": lambda: [
                net.decoder(features[None]) is None or summed(range(one, one + 1), 1, plain) for one in range(few)
            ],
        },
        5,
    )
    batched, other = (found[name] * len(features) / some for name in ("batched", "channels last"))
    literal = found["literal"] * len(features) / few
    print(
        f"\nS maps of one image, 512 channels: {found['ours']:.2f} s; batched {batched:.1f} s, {batched / found['ours']:.1f}x; "
        f"batched, channels last {other:.1f} s, {other / found['ours']:.1f}x; "
        f"literal {literal:.1f} s, {literal / found['ours']:.1f}x"
    )
    assert min(batched, other) / found["ours"] > 5 / 2
    assert literal / found["ours"] > 10 / 2


def test_corr_rise_correlation() -> None:
    """500 masks at 112 px; literal: each pixel's values ranked and correlated, of which 1 in 49 pixels is timed."""
    seen = corr_rise.CorrRISEConfig().build().draw((SIZE, SIZE)).flatten(1).numpy()
    scores = np.random.default_rng(0).normal(size=500)
    some = seen[:, ::49].astype(np.float64)

    def literal() -> np.ndarray:
        return np.array([stats.spearmanr(column, scores).statistic if np.ptp(column) else 0.0 for column in some.T])

    def vectorized() -> np.ndarray:
        order = stats.rankdata(seen.astype(np.float64), axis=0)
        order -= order.mean(0)
        first = stats.rankdata(scores) - (len(scores) + 1) / 2
        length = np.sqrt((order**2).sum(0) * (first @ first))
        return np.divide(first @ order, length, out=np.zeros(seen.shape[1]), where=length > 0)

    ours = Binary(seen).spearman(scores)
    np.testing.assert_allclose(ours[::49], literal(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours, vectorized(), rtol=0, atol=1e-12)
    found = seconds({"ours": lambda: Binary(seen).spearman(scores), "literal": literal, "vectorized": vectorized}, 5)
    slow = found["literal"] * seen.shape[1] / some.shape[1]
    print(
        f"\nCorrRISE correlation, 500 masks, 112 px: {1000 * found['ours']:.1f} ms; "
        f"literal {slow:.1f} s, {slow / found['ours']:.0f}x; "
        f"ranks of all pixels at once {1000 * found['vectorized']:.0f} ms, {found['vectorized'] / found['ours']:.1f}x"
    )
    assert slow / found["ours"] > 30 / 2
    assert found["vectorized"] / found["ours"] > 30 / 2


@torch.no_grad()
def test_stylianou_closed_form() -> None:
    """Maps of all pairs of 10 and 10 images at 7 x 7, from kept features, against loops over pairs and cells.

    One loop gives each cell alone to the head; the lean one already has the closed form, and takes a dot product per cell.
    """
    net = network("gap_bn")
    left, right = all_pairs.cache(net, images(10)), all_pairs.cache(net, images(20)[10:])
    head = LinearHead(net.head)
    bias = head.bias(left.shape, left.features.double())

    def loop(lean: bool) -> np.ndarray:
        """Of the first left image, with all right ones."""
        out = np.zeros((10, 7, 7))
        one = left.features[0].double()
        for j, other in enumerate(right.embeddings):
            length = left.embeddings[0].norm() * other.norm()
            pulled = head.pull(other[None], left.shape)[0] if lean else None
            for y in range(7):
                for x in range(7):
                    if pulled is not None:
                        out[j, y, x] = float(one[:, y, x] @ pulled[:, y, x] / length)
                        continue
                    alone = torch.zeros_like(one)
                    alone[:, y, x] = one[:, y, x]
                    out[j, y, x] = float((head.embed(alone[None])[0] - bias) @ other / length)
        return out

    ours = all_pairs.stylianou(head, left, right)[0][0].numpy()
    for lean in (False, True):
        np.testing.assert_allclose(ours, loop(lean), rtol=1e-4, atol=1e-7)
    ways = {"ours": lambda: all_pairs.stylianou(head, left, right), "loop": lambda: loop(False), "lean": lambda: loop(True)}
    found = seconds(ways, 9)
    slow, lean_slow = 10 * found["loop"], 10 * found["lean"]
    print(
        f"\nStylianou, 100 pairs at 7 x 7: {1000 * found['ours']:.1f} ms; cell by cell through the head {slow:.2f} s, "
        f"{slow / found['ours']:.0f}x; a dot product per cell {lean_slow:.2f} s, {lean_slow / found['ours']:.0f}x"
    )
    assert slow / found["ours"] > 30 / 2

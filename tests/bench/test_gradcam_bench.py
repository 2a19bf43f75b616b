"""Grad-CAM against pytorch-grad-cam, and from cached features against itself: ratios of interleaved medians, one thread.

ResNet-34 at 160 x 160 with the ``gap_bn`` head. Both see the same layer, whose map has 5 x 5 cells, and neither enlarges it. We
look at images one by one; the peer is measured both so and with all images in one batch, which is quicker and lets a map depend
on the batch. Bars are those of the project; the tests allow half of them, for crowded machines.
"""

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from modules.attribution.cached_features import all_pairs, features, gradcams
from modules.attribution.targets import ClassLogit, Cosine
from modules.network import Network

SIZE, CLASSES = 160, 100


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield Network(resolve("backbone", "resnet34"), resolve("head", "gap_bn"), resolve("loss", "softmax"), CLASSES, SIZE).eval()
    torch.set_num_threads(before)


def images(count: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def medians(*runs: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each; in every round each of them runs once."""
    taken: list[list[float]] = [[] for _ in runs]
    for number in range(rounds + 1):
        for run, found in zip(runs, taken, strict=True):
            start = time.perf_counter()
            run()
            if number:  # the first round warms up
                found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in taken]


@pytest.mark.parametrize("count", [1, 8])
def test_gradcam_against_pytorch_grad_cam(network: Network, count: int) -> None:
    from pytorch_grad_cam import GradCAM

    rendered, labels = images(count), torch.arange(count)
    explainer = resolve("explainer", "gradcam").build()  # type: ignore[attr-defined]
    layer = network.backbone.stages()["layer4"]

    def ours() -> np.ndarray:
        return explainer.explain(network, rendered, ClassLogit(labels), SIZE).maps

    with GradCAM(network, [layer]) as peer:

        def part(images: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
            network.zero_grad()
            seen = peer.activations_and_grads
            seen(images).gather(1, labels[:, None]).sum().backward()
            return np.maximum(
                peer.get_cam_image(images, layer, None, seen.activations[0].numpy(), seen.gradients[0].numpy()), 0
            )

        def together() -> np.ndarray:
            return part(rendered, labels)

        def singly() -> np.ndarray:
            return np.concatenate([part(rendered[row : row + 1], labels[row : row + 1]) for row in range(count)])

        expected = together()
        np.testing.assert_allclose(ours(), expected, rtol=1e-4, atol=1e-5 * expected.max())
        mine, batch, one = medians(ours, together, singly, rounds=9 if count == 1 else 3)
    network.zero_grad()
    print(
        f"\nGrad-CAM of {count}: {1000 * mine:.0f} ms; pytorch-grad-cam in one batch {1000 * batch:.0f} ms: "
        f"{batch / mine:.2f}x, one by one {1000 * one:.0f} ms: {one / mine:.2f}x"
    )
    assert one / mine > 2 / 2


@pytest.mark.parametrize("kind", ["class", "cosine"])
def test_a_further_target_on_cached_features_against_a_fresh_run(network: Network, kind: str) -> None:
    image, count = images(1), 100
    many = ClassLogit(torch.arange(count)) if kind == "class" else Cosine(torch.randn(count, 512))
    explainer = resolve("explainer", "gradcam").build()  # type: ignore[attr-defined]
    one = many.take([7])
    feature = features(network, image)[0]
    expected = explainer.explain(network, image, one, SIZE).maps[0]
    np.testing.assert_array_equal(gradcams(network, feature, one)[0], expected)
    np.testing.assert_allclose(gradcams(network, feature, many, 50)[7], expected, rtol=1e-4, atol=1e-5 * expected.max())
    fresh, single, batched = medians(
        lambda: explainer.explain(network, image, one, SIZE),
        lambda: [gradcams(network, feature, one) for _ in range(10)],
        lambda: gradcams(network, feature, many, 50),
        rounds=9,
    )
    single, batched = single / 10, batched / count
    print(
        f"\n{kind}: fresh {1000 * fresh:.1f} ms; one further target {1000 * single:.2f} ms: {fresh / single:.0f}x; "
        f"each of {count}, 50 at a time, {1000 * batched:.3f} ms: {fresh / batched:.0f}x"
    )
    assert fresh / batched > 50 / 2


def test_maps_of_all_pairs_of_two_hundred_images(network: Network) -> None:
    """The passes through the backbone are measured on 8 images, and counted for 200."""
    few = images(8)
    (forward,) = medians(lambda: features(network, few), rounds=3)
    shape = features(network, few[:1]).shape[1:]
    left, right = (torch.rand(100, *shape, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    start = time.perf_counter()
    found = all_pairs(network, left, right)
    heads = time.perf_counter() - start
    assert found.left.shape == found.right.shape == (100, 100, *shape[1:])
    backbone = 200 / 8 * forward
    explainer = resolve("explainer", "gradcam").build()  # type: ignore[attr-defined]
    (fresh,) = medians(lambda: explainer.explain(network, few[:1], Cosine(torch.ones(1, 512)), SIZE), rounds=5)
    whole = backbone + heads
    print(
        f"\n100 x 100 pairs, 20,000 maps: 200 forward passes {backbone:.1f} s, heads {heads:.1f} s; "
        f"pair by pair {20_000 * fresh:.0f} s: {20_000 * fresh / whole:.0f}x"
    )
    assert 20_000 * fresh / whole > 20

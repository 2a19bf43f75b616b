import numpy as np
import pytest
import torch
from small_networks import Smooth

from configs.lookup import resolve
from modules.attribution.targets import ClassLogit
from modules.explainers.smoothgrad import SmoothGradConfig

IMAGES = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
LABELS = torch.tensor([2, 0])


def explain(images=IMAGES, labels=LABELS, network=None, **fields):
    fields = {"samples": 6, "batch": 3, **fields}
    return SmoothGradConfig(**fields).build().explain(network or Smooth(), images, ClassLogit(labels), 6)


def literal(image, label, samples, noise, seed, absolute):
    network, random = Smooth(), np.random.default_rng(seed)
    deviation = noise * float(image.max() - image.min())
    total = np.zeros((3, 6, 6))
    for _ in range(samples):
        added = random.standard_normal((3, 6, 6), dtype=np.float32).astype(np.float64)
        leaf = (image + deviation * torch.from_numpy(added))[None].requires_grad_()
        network.embed(leaf)[0, label].backward()
        one = leaf.grad[0].numpy()
        total += np.abs(one) if absolute else one
    return np.abs(total / samples).max(0)


@pytest.mark.parametrize("average", ["signed", "absolute"])
def test_a_map_is_the_mean_over_noisy_copies(average):
    found = explain(noise=0.3, seed=5, average=average)
    for number, label in enumerate(LABELS.tolist()):
        expected = literal(IMAGES[number], label, 6, 0.3, 5, average == "absolute")
        np.testing.assert_allclose(found.maps[number], expected.astype(np.float32), rtol=1e-6)
        explainer = SmoothGradConfig(samples=6, batch=3, noise=0.3, seed=5, average=average).build()
        exact, _ = explainer.map_of(Smooth(), IMAGES[number][None], ClassLogit(LABELS[number : number + 1]))
        np.testing.assert_allclose(exact.numpy(), expected, rtol=1e-12, atol=1e-14)
        span = float(IMAGES[number].max() - IMAGES[number].min())
        assert found.notes["noise"][number] == pytest.approx(0.3 * span)


def test_the_seed_is_the_only_source_of_noise():
    one = explain().maps
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(explain(network=Smooth()).maps, one)
    torch.manual_seed(99)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not np.allclose(explain(seed=1).maps, one)


def test_without_noise_to_speak_of_it_is_the_gradient():
    plain = resolve("explainer", "gradient").build().explain(Smooth(), IMAGES, ClassLogit(LABELS), 6).maps
    np.testing.assert_allclose(explain(noise=1e-9).maps, plain, rtol=1e-5)
    flat = torch.full_like(IMAGES, 0.4)
    plain = resolve("explainer", "gradient").build().explain(Smooth(), flat, ClassLogit(LABELS), 6).maps
    np.testing.assert_allclose(explain(flat).maps, plain, rtol=1e-6)


def test_all_batches_have_one_shape():
    network = Smooth()
    explain(network=network)
    assert network.seen == [3, 3, 3, 3]
    with pytest.raises(ValueError, match=r"samples \(7\) must be a multiple of batch \(3\)"):
        SmoothGradConfig(samples=7, batch=3)


def test_it_is_found_by_name():
    assert resolve("explainer", "smoothgrad") == SmoothGradConfig()


def test_the_noise_is_drawn_copy_by_copy_and_once_for_all_images():
    explainer, image = SmoothGradConfig(samples=5, batch=5, seed=4).build(), torch.zeros(1, 3, 7, 5)
    random = np.random.default_rng(4)
    drawn = np.stack([random.standard_normal((3, 7, 5), dtype=np.float32) for _ in range(5)])
    np.testing.assert_array_equal(explainer.noise(image).numpy(), drawn)
    assert explainer.noise(image + 1) is explainer.noise(image)
    assert explainer.noise(image.double()).dtype == torch.float64
    assert explainer.noise(torch.zeros(1, 3, 5, 7)).shape == (5, 3, 5, 7)

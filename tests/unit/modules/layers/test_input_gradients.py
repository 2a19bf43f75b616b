"""The gradient view against loops."""

import math

import torch

from modules.layers.input_gradients import Gradients


def test_it_equals_loops_over_pixels() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 5, 4, dtype=torch.float64) * 2 - 1
    seen = Gradients()(images)
    gray = [
        [sum(w * images[0, c, y, x].item() for c, w in enumerate((0.299, 0.587, 0.114))) for x in range(4)] for y in range(5)
    ]
    for y in range(5):
        for x in range(4):
            across = (gray[y][min(x + 1, 3)] - gray[y][max(x - 1, 0)]) / 2
            down = (gray[min(y + 1, 4)][x] - gray[max(y - 1, 0)][x]) / 2
            wanted = [gray[y][x], math.sqrt(2) * math.hypot(across, down) - 1, math.atan2(down, across) / math.pi]
            assert torch.allclose(seen[0, :, y, x], torch.tensor(wanted, dtype=torch.float64), atol=1e-12)


def test_a_flat_image_has_no_magnitude_and_no_nan_in_its_gradient() -> None:
    images = torch.full((1, 3, 4, 4), 0.25, requires_grad=True)
    seen = Gradients()(images)
    assert bool((seen[:, 1] == -1).all())
    assert bool((seen[:, 2] == 0).all())
    seen.sum().backward()
    assert images.grad is not None
    assert torch.allclose(images.grad, torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1).expand(1, 3, 4, 4))


def test_all_values_stay_within_the_range_of_images() -> None:
    torch.manual_seed(0)
    seen = Gradients()(torch.randn(4, 3, 16, 16).sign())
    assert seen.abs().max() <= 1 + 1e-6
    assert seen[:, 1].max() > 0.3
    assert seen[:, 2].min() < -0.9


def test_the_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    images = (torch.rand(1, 3, 4, 4, dtype=torch.float64) * 2 - 1).requires_grad_()
    assert torch.autograd.gradcheck(Gradients(), images)

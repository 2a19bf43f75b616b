"""Center loss and its centers, image by image."""

import pytest
import torch

from modules.losses.center import CenterConfig


def example():
    torch.manual_seed(0)
    loss = CenterConfig().build(4, 6).double()
    loss.centers.copy_(torch.randn(6, 4))
    return loss, torch.randn(8, 4, dtype=torch.float64), torch.tensor([0, 2, 2, 5, 2, 0, 1, 5])


def written_out(embeddings, labels, centers, alpha):
    """The loss, and the centers after it, class by class."""
    loss = sum(((x - centers[label]) ** 2).sum() for x, label in zip(embeddings, labels.tolist(), strict=True))
    moved = centers.clone()
    for number in range(len(centers)):
        mine = [x.detach() for x, label in zip(embeddings, labels.tolist(), strict=True) if label == number]
        if mine:
            moved[number] += alpha * sum(x - centers[number] for x in mine) / (1 + len(mine))
    return loss / 2 / len(embeddings), moved


def test_value_gradient_and_centers_equal_the_equations_written_out():
    loss, embeddings, labels = example()
    leaves = [embeddings.clone().requires_grad_() for _ in range(2)]
    expected, moved = written_out(leaves[0], labels, loss.centers.clone(), 0.5)
    found = loss(leaves[1], labels)
    expected.backward()
    found.backward()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(leaves[1].grad, leaves[0].grad, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(loss.centers, moved, rtol=1e-9, atol=1e-9)


def test_centers_move_to_the_mean_of_their_samples():
    """They move at all: a public implementation's never do."""
    loss, embeddings, labels = example()
    for _ in range(100):
        loss(embeddings, labels)
    for number in labels.unique().tolist():
        torch.testing.assert_close(loss.centers[number], embeddings[labels == number].mean(0))


def test_centers_of_absent_classes_stay():
    loss, embeddings, labels = example()
    before = loss.centers.clone()
    loss(embeddings, labels)
    assert (loss.centers != before).any(dim=1).tolist() == [True, True, True, False, False, True]


def test_evaluation_moves_nothing():
    loss, embeddings, labels = example()
    before = loss.centers.clone()
    loss.eval()(embeddings, labels)
    assert torch.equal(loss.centers, before)


def test_the_weight_of_the_loss_does_not_change_how_far_centers_move():
    (one, embeddings, labels), (other, _, _) = example(), example()
    embeddings.requires_grad_()
    (0.008 * one(embeddings, labels)).backward()
    (1000 * other(embeddings, labels)).backward()
    assert torch.equal(one.centers, other.centers)


def test_no_optimizer_moves_the_centers_and_a_checkpoint_has_them():
    loss, embeddings, labels = example()
    assert list(loss.parameters()) == []
    loss(embeddings, labels)
    again = CenterConfig().build(4, 6).double()
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again.centers, loss.centers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_is_computed_in_single_precision_under_autocast(dtype):
    loss = CenterConfig().build(512, 3)
    embeddings = torch.full((4, 512), 30.0, dtype=dtype, requires_grad=True)  # the sum of squares is beyond float16
    with torch.autocast("cpu", dtype=dtype):
        value = loss(embeddings, torch.tensor([0, 1, 1, 2]))
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(512 * 900 / 2, rel=1e-6)
    assert embeddings.grad.isfinite().all()
    assert loss.centers.isfinite().all()
    assert loss.centers.dtype == torch.float32


def test_no_tensor_of_batch_times_classes_is_made():
    """200,000 classes x 1,000 images in float32 would be 800 MB."""
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = [0]

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            for one in found if isinstance(found, tuple) else (found,):
                if isinstance(one, torch.Tensor) and one.data_ptr() != loss.centers.data_ptr():
                    largest[0] = max(largest[0], one.numel())
            return found

    loss = CenterConfig().build(2, 200_000)
    embeddings = torch.randn(1000, 2, requires_grad=True)
    with Watch():
        loss(embeddings, torch.randint(200_000, (1000,))).backward()
    assert 0 < largest[0] <= 2000

"""Rows of all ranks in the order of the batch, and gradients whose average is that of one process."""

from pathlib import Path

import pytest
import torch
from ranks import together

from modules.layers.gathering import batch_of, gathered, mean_of_batch

WHOLE = torch.arange(21.0).reshape(7, 3)
PROGRAM = """
import torch
from modules.layers.gathering import gathered, mean_of_batch, world_size
part = whole[rank.number :: rank.world].clone().requires_grad_()
rows = gathered(part)
weight = torch.linspace(-1, 1, rows.numel()).reshape(rows.shape)
(rows.square() * weight).sum().backward()
labels = gathered(torch.arange(len(whole))[rank.number :: rank.world])
scale = torch.tensor(2.0, requires_grad=True)
mean = mean_of_batch((scale * part.detach()).square().mean(), len(part))
mean.backward()
result = (rows.detach(), part.grad, labels, mean.detach(), scale.grad, world_size())
"""


@pytest.mark.parametrize("world", [2, 3, 5])
def test_every_rank_has_the_rows_of_the_batch_in_its_order(tmp_path: Path, world: int) -> None:
    found = together(tmp_path, world, PROGRAM, whole=WHOLE)
    point = WHOLE.clone().requires_grad_()
    weight = torch.linspace(-1, 1, WHOLE.numel()).reshape(WHOLE.shape)
    (point.square() * weight).sum().backward()
    assert point.grad is not None
    for number, (rows, gradient, labels, _, _, size) in enumerate(found):
        assert torch.equal(rows, WHOLE)
        assert labels.tolist() == list(range(7))
        assert size == world
        # averaged over ranks, as gradients of weights are, this is the gradient of one process
        assert torch.allclose(gradient / world, point.grad[number::world])


def test_means_are_weighted_by_images_also_in_their_gradient(tmp_path: Path) -> None:
    found = together(tmp_path, 2, PROGRAM, whole=WHOLE)  # 4 and 3 images
    expected = 4 * WHOLE.square().mean()
    assert all(torch.allclose(one[3], expected) for one in found)
    assert torch.allclose(sum(one[4] for one in found) / 2, 4 * WHOLE.square().mean())


def test_one_process_keeps_its_rows() -> None:
    assert gathered(WHOLE) is WHOLE
    mean = WHOLE.mean()
    assert mean_of_batch(mean, 7) is mean


KNOWN = """
import torch
from unittest.mock import patch
from modules.layers.gathering import batch_of, gathered
asked = gathered(whole[rank.number :: rank.world])
with patch("modules.layers.gathering._counted", side_effect=AssertionError("asked")), batch_of(len(whole)):
    part = whole[rank.number :: rank.world].clone().requires_grad_()
    rows = gathered(part)
    rows.square().sum().backward()
    try:
        gathered(part[1:])
        refused = False
    except AssertionError as error:
        refused = "asked" not in str(error)
again = gathered(whole[:1])
result = torch.equal(asked, rows), part.grad, refused, len(again)
"""


@pytest.mark.parametrize("world", [2, 3])
def test_where_the_size_of_the_batch_is_known_nobody_is_asked(tmp_path: Path, world: int) -> None:
    for number, (same, gradient, refused, again) in enumerate(together(tmp_path, world, KNOWN, whole=WHOLE)):
        assert same
        assert torch.equal(gradient, 2 * WHOLE[number::world] * world)
        assert refused, "another number of rows than this rank's"
        assert again == world, "the size is forgotten after the step"


def test_the_size_of_a_batch_changes_nothing_in_one_process() -> None:
    with batch_of(9):
        assert gathered(WHOLE) is WHOLE

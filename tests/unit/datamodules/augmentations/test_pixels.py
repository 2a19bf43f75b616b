"""The steps one by one, on images whose result is known by hand."""

import torch

from datamodules.augmentations._pixels import erased, grayed, lit, moved

IDENTITY = torch.tensor([[1.0, 0.0, 0.0, 1.0]])
ROW = torch.tensor([10.0, 20.0, 30.0, 50.0]).expand(1, 3, 2, 4)


def row(images: torch.Tensor) -> list[float]:
    """The row of an image with equal rows and channels."""
    assert torch.equal(images, images[:, :1, :1].expand_as(images))
    return [round(float(one), 3) for one in images[0, 0, 0]]


def test_a_shift_to_the_right_mirrors_at_the_outermost_pixel() -> None:
    assert row(moved(ROW, IDENTITY, torch.tensor([[0.25, 0.0]]))) == [20, 10, 20, 30]
    assert row(moved(ROW, IDENTITY, torch.tensor([[-0.5, 0.0]]))) == [30, 50, 30, 20]
    assert row(moved(ROW, IDENTITY, torch.tensor([[0.125, 0.0]]))) == [15, 15, 25, 40]


def test_a_matrix_acts_on_x_to_the_right_and_y_down_about_the_center() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    quarter = torch.tensor([[0.0, -1.0, 1.0, 0.0]])  # what is seen above was on the right: a quarter turn counterclockwise
    found = moved(image, quarter, torch.zeros(1, 2))
    assert found[0, 0].round().tolist() == [[2.0, 5.0, 8.0], [1.0, 4.0, 7.0], [0.0, 3.0, 6.0]]


def test_light_is_clipped_to_the_range_of_pixels() -> None:
    assert row(lit(ROW, torch.tensor([2.0]), torch.tensor([-0.1]))) == [0, 14.5, 34.5, 74.5]
    assert row(lit(ROW, torch.tensor([1.0]), torch.tensor([0.9]))) == [239.5, 249.5, 255, 255]


def test_only_chosen_images_turn_gray() -> None:
    images = torch.tensor([100.0, 50.0, 200.0]).reshape(1, 3, 1, 1).repeat(2, 1, 1, 1)
    found = grayed(images, torch.tensor([0.0, 1.0]))
    assert torch.equal(found[0], images[0])
    assert found[1].flatten().tolist() == [found[1, 0, 0, 0]] * 3
    assert abs(float(found[1, 0, 0, 0]) - (29.9 + 29.35 + 22.8)) < 1e-4


def test_a_box_has_the_pixels_whose_centers_are_inside() -> None:
    boxes = torch.tensor([[0.125, 0.0, 0.625, 0.5], [0.0, 0.0, 0.0, 0.0]])
    found = erased(torch.ones(2, 3, 2, 4), boxes, 7)
    assert found[0, 1].tolist() == [[7.0, 7.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    assert torch.equal(found[1], torch.ones(3, 2, 4))

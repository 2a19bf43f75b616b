"""Position embeddings of another grid of patches."""

import torch

from modules.weights.position_embeddings import resampled


def test_a_plane_stays_a_plane_and_the_first_embeddings_stay() -> None:
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 14), torch.linspace(-1, 1, 14), indexing="ij")
    plane = torch.stack([rows, columns], dim=2).reshape(1, 196, 2)
    given = {"pos_embed": torch.cat([torch.tensor([[[7.0, 8.0], [9.0, 1.0]]]), plane], dim=1), "norm.bias": torch.ones(2)}
    found = resampled(given, (7, 7), others=2)
    assert torch.equal(found["norm.bias"], given["norm.bias"])
    assert found["pos_embed"].shape == (1, 51, 2)
    assert torch.equal(found["pos_embed"][:, :2], given["pos_embed"][:, :2])
    inner = found["pos_embed"][0, 2:].view(7, 7, 2)[2:5, 2:5]  # away from the border, where a row is the mean of two
    means = plane.view(7, 2, 7, 2, 2).mean((1, 3))[2:5, 2:5]
    torch.testing.assert_close(inner, means, atol=1e-6, rtol=0)


def test_the_same_grid_keeps_every_bit_and_other_shapes_are_left_to_the_comparison() -> None:
    given = {"pos_embed": torch.randn(1, 50, 3)}
    assert torch.equal(resampled(given, (7, 7), others=1)["pos_embed"], given["pos_embed"])
    assert resampled(given, (8, 8), others=0)["pos_embed"] is given["pos_embed"]  # 50 is no square
    assert resampled({"a": given["pos_embed"]}, (7, 7), others=1) == {"a": given["pos_embed"]}

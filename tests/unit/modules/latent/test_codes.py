"""Codes, and the straight and the spherical path between them."""

import numpy as np
import pytest
import torch
from torch import nn

from modules.latent.codes import code_of, decoded, linear, spherical, traversal

START = torch.tensor([[[3.0]], [[0.0]], [[4.0]]])
END = torch.tensor([[[0.0]], [[2.0]], [[0.0]]])


class Halved(nn.Module):
    """A decoder with a code of its own: half of the feature map."""

    def code(self, features: torch.Tensor) -> torch.Tensor:
        return features / 2

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        return code * 10

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.decode(self.code(features))


def test_the_code_is_the_feature_map_unless_the_decoder_says_otherwise() -> None:
    features = torch.rand(2, 3, 1, 1)
    assert code_of(nn.Identity(), features) is features
    assert torch.equal(code_of(Halved(), features), features / 2)
    assert torch.equal(decoded(Halved(), code_of(Halved(), features)), Halved()(features))
    assert torch.equal(decoded(nn.Identity(), features), features)


@pytest.mark.parametrize("path", [linear, spherical])
def test_both_ends_are_exact(path: object) -> None:
    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 5, 3, 3, generator=generator)
    found = path(start, end, 7)  # type: ignore[operator]
    assert found.shape == (7, 5, 3, 3)
    assert torch.equal(found[0], start)
    assert torch.equal(found[-1], end)


def test_the_straight_path_has_equal_steps() -> None:
    found = linear(START, END, 5).flatten(1)
    steps = found[1:] - found[:-1]
    torch.testing.assert_close(steps, ((END - START).flatten() / 4).expand(4, 3))


def test_the_spherical_path_turns_at_constant_speed_and_its_length_is_linear() -> None:
    found = spherical(START, END, 5).flatten(1).double()
    lengths = found.norm(dim=1)
    torch.testing.assert_close(lengths, torch.linspace(5, 2, 5, dtype=torch.float64), rtol=1e-6, atol=1e-6)
    units = found / lengths[:, None]
    angles = torch.arccos((units[1:] * units[:-1]).sum(1))
    torch.testing.assert_close(angles, torch.full((4,), np.pi / 8, dtype=torch.float64), rtol=1e-6, atol=1e-6)


def test_almost_parallel_codes_are_joined_by_a_line() -> None:
    assert torch.equal(spherical(START, START * 3, 4), linear(START, START * 3, 4))


@pytest.mark.parametrize(
    ("start", "end", "said"), [(START, -2 * START, "the codes are opposite"), (START, 0 * START, "a code of length 0")]
)
def test_paths_that_do_not_exist_are_refused(start: torch.Tensor, end: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        spherical(start, end, 3)


def test_a_path_has_two_ends() -> None:
    with pytest.raises(ValueError, match="two steps at least; found 1"):
        linear(START, END, 1)


def test_a_traversal_moves_one_channel_everywhere() -> None:
    code = torch.rand(4, 2, 2)
    found = traversal(code, 2, torch.tensor([-1.0, 0.0, 2.5], dtype=torch.float64))
    assert found.shape == (3, 4, 2, 2)
    assert torch.equal(found[1], code)
    for number, offset in enumerate((-1.0, 0.0, 2.5)):
        torch.testing.assert_close(found[number] - code, torch.zeros(4, 2, 2).index_fill_(0, torch.tensor([2]), offset))

import numpy as np
import pytest
import torch
from pair_networks import SIZE, images, network
from torch import nn

from modules.attribution.explainer import Reference, Refused
from modules.attribution.pair_utilities import color, cosine, cosine_shares, decision_threshold, embed_rows, kinds


def reference(same, count=4):
    return Reference(images(count, seed=3), images(count, seed=4), torch.tensor(same), np.array([0.1, 0.2, 0.3], np.float32))


@pytest.mark.parametrize("batch", [1, 3, 5, 7])
def test_rows_are_embedded_as_one_by_one(batch):
    net, sizes = network().eval(), []
    plain = net.embed
    with torch.no_grad():
        expected = torch.cat([plain(image[None]) for image in images(5)])
        net.embed = lambda given: sizes.append(len(given)) or plain(given)
        found = embed_rows(net, images(5), batch)
    assert set(sizes) == {batch}
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    assert found.dtype == torch.float64


def test_cosines_are_those_of_torch():
    one, other = torch.randn(2, 4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(cosine(one, other), nn.functional.cosine_similarity(one, other), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("value", "code"), [(0.0, "zero_norm"), (float("nan"), "not_finite"), (float("inf"), "not_finite")])
def test_embeddings_without_direction_are_refused(value, code):
    net = network().eval()
    net.embed = lambda batch: torch.full((len(batch), 3), value)
    with pytest.raises(Refused, match="2 of 2") as caught:
        embed_rows(net, images(2))
    assert caught.value.code == code


def test_colors():
    like = images(1)
    assert color("black", None, like).flatten().tolist() == [-1, -1, -1]
    assert color("gray", None, like).flatten().tolist() == [0, 0, 0]
    assert color((0.5, 0, -1), None, like).shape == (3, 1, 1)
    mean = color("mean", reference([True] * 4), like)
    assert mean.dtype == torch.float64
    assert mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3], abs=1e-7)


def test_both_kinds_of_pairs_are_needed():
    assert kinds(None) is None
    assert kinds(reference([True] * 4)) is None
    assert kinds(reference([False] * 4)) is None
    assert kinds(reference([True, False, True, False])).tolist() == [True, False, True, False]


def test_the_decision_threshold_decides_best():
    net = network().eval()
    given = reference([True, False, True, False])
    with torch.no_grad():
        limit = decision_threshold(net, given, images(1), "")
        scores = cosine(embed_rows(net, given.left, 1), embed_rows(net, given.right, 1))
    correct = int(((scores >= limit - 1e-12) == given.same).sum())
    assert correct == max(int(((scores >= place) == given.same).sum()) for place in [*scores.tolist(), 2.0])
    for other, remedy in (
        (reference([True] * 4), r"in a study, hold out .* \(split\)"),
        (None, "in the library, pass reference"),
    ):
        with pytest.raises(Refused, match=f"{remedy}; or give it$") as caught:
            decision_threshold(net, other, images(1), "give it")
        assert caught.value.code == "no_reference"
    assert given.left.shape[2:] == (SIZE, SIZE)


def test_shares_sum_to_the_cosine():
    net = network().eval()
    left, right = images(1)[0], images(1, seed=2)[0]
    shares = cosine_shares(net, left, right)
    one, other = (net.embed(image[None])[0].detach() for image in (left, right))
    for place in range(5):
        assert float(shares[place]) == pytest.approx(float(one[place] * other[place] / (one.norm() * other.norm())))
    assert float(shares.sum()) == pytest.approx(float(torch.cosine_similarity(one, other, dim=0)))

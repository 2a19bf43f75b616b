import numpy as np
import pytest
import torch
from torch import nn

from configs.lookup import resolve
from modules.attribution.cached_features import all_pairs, features, gradcams
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.network import Network

SIZE = 127
HEADS = {
    "gap_bn": {},
    "fc_bn": {},
    "gdc": {},
    "l2": {},
    "dense": {"hidden": []},
    "deepface_f7": {},
    "facenet_maxout": {"units": 8},
    "gmp": {"dimension": 256},
}


def network(head="gap_bn", double=False):
    torch.manual_seed(0)
    made = resolve("head", {"name": head, "dimension": 16, **HEADS[head]})
    found = Network(resolve("backbone", "alexnet"), made, resolve("loss", "softmax"), 5, SIZE)
    return found.double() if double else found


def images(count, seed=1, dtype=torch.float32):
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def fresh(made, generated, target):
    return resolve("explainer", {"name": "gradcam", "layer": "pool5"}).build().explain(made, generated, target, SIZE).maps


def test_features_are_those_of_each_image_alone():
    made, generated = network(), images(3)
    found = features(made, generated)
    assert found.shape == (3, 256, 2, 2) or found.shape[:2] == (3, 256)
    assert not found.requires_grad
    assert torch.equal(features(made, generated[1:2])[0], found[1])
    assert made.training


@pytest.mark.parametrize("head", HEADS)
def test_one_by_one_a_map_is_gradcams_to_the_last_bit(head):
    made, generated = network(head), images(1)
    dimension = HEADS[head].get("dimension", 16)
    for target in (ClassLogit(torch.arange(5)), Cosine(torch.randn(5, dimension, generator=torch.Generator().manual_seed(2)))):
        found = gradcams(made, features(made, generated)[0], target)
        assert found.any()
        np.testing.assert_array_equal(found, fresh(made, generated.expand(5, -1, -1, -1), target))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("batch", [2, 5, 7])
def test_many_targets_at_once_are_the_same_maps(head, batch):
    made = network(head, double=True)
    dimension = HEADS[head].get("dimension", 16)
    feature = features(made, images(1, dtype=torch.float64))[0]
    for target in (ClassLogit(torch.arange(5)), Cosine(torch.randn(5, dimension, dtype=torch.float64))):
        found, expected = gradcams(made, feature, target, batch), gradcams(made, feature, target)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_a_map_does_not_depend_on_the_other_targets_of_its_batch():
    made = network()
    feature = features(made, images(1))[0]
    one = gradcams(made, feature, ClassLogit(torch.tensor([3, 0, 1])), 3)
    other = gradcams(made, feature, ClassLogit(torch.tensor([3, 4, 4])), 3)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(gradcams(made, feature, ClassLogit(torch.tensor([3])), 3)[0], other[0])


@pytest.mark.parametrize(
    ("head", "detach", "together"),
    [("gap_bn", True, 1), ("gap_bn", False, 2), ("gap_bn", True, 3), ("fc_bn", True, 2), ("l2", False, 2), ("gmp", True, 2)],
)
def test_all_pairs_are_what_pair_by_pair_gives(head, detach, together):
    made = network(head, double=True)
    left, right = images(3, 1, torch.float64), images(2, 2, torch.float64)
    found = all_pairs(made, features(made, left), features(made, right), detach, batch=3, images=together)
    made.eval()
    codes = [torch.cat([made.embed(one[None]) for one in many]).detach() for many in (left, right)]
    for i in range(3):
        for j in range(2):
            cosine = float(nn.functional.cosine_similarity(codes[0][i], codes[1][j], dim=0))
            assert found.cosines[i, j] == pytest.approx(cosine, rel=1e-5)
            one = fresh(made, left[i : i + 1], Cosine(codes[1][j : j + 1], detach))[0]
            other = fresh(made, right[j : j + 1], Cosine(codes[0][i : i + 1], detach))[0]
            np.testing.assert_allclose(found.left[i, j], one, rtol=1e-5, atol=1e-9)
            np.testing.assert_allclose(found.right[i, j], other, rtol=1e-5, atol=1e-9)
    assert found.left.any()
    assert found.left.dtype == found.right.dtype == found.cosines.dtype == np.float32


def test_an_image_passes_the_backbone_once_whatever_its_pairs():
    made, passes = network(), []
    made.backbone.register_forward_hook(lambda module, given, got: passes.append(len(given[0])))
    all_pairs(made, features(made, images(3)), features(made, images(2, 2)))
    assert passes == [1] * 5


def test_an_embedding_of_length_zero_is_refused():
    made = network()
    nn.init.zeros_(made.head.linear.weight)
    nn.init.zeros_(made.head.linear.bias)
    with pytest.raises(Refused, match="length 0") as caught:
        all_pairs(made, features(made, images(1)), features(made, images(1, 2)))
    assert caught.value.code == "not_finite"


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off_and_leaves_the_network_as_it_was(around):
    made, target = network(), ClassLogit(torch.arange(5))
    expected = gradcams(made, features(made, images(1))[0], target, 5)
    with around():
        np.testing.assert_array_equal(gradcams(made, features(made, images(1))[0], target, 5), expected)
    assert all(module.training for module in made.modules())
    assert all(parameter.grad is None for parameter in made.parameters())


@pytest.mark.parametrize("head", HEADS)
def test_many_images_at_once_give_the_maps_of_each_alone(head):
    """In float32, relative to the largest value."""
    made = network(head)
    left, right = features(made, images(5)), features(made, images(4, 2))
    alone, together = (all_pairs(made, left, right, batch=4, images=count) for count in (1, 5))
    for name in ("cosines", "left", "right"):
        expected = getattr(alone, name)
        assert expected.any()
        np.testing.assert_allclose(getattr(together, name), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_a_bad_embedding_among_good_ones_is_refused():
    made = network()
    nn.init.zeros_(made.head.linear.bias)
    good, bad = features(made, images(2)), features(made, images(2, 2))
    bad[1] = 0
    with pytest.raises(Refused, match="length 0"):
        all_pairs(made, good, bad, images=2)

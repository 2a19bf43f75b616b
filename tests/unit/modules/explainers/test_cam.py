import numpy as np
import pytest
import torch
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.layer_maps import at_layer
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.cam import CAMConfig
from modules.network import Network

LABELS = torch.tensor([2, 0])
IMAGES = torch.rand(2, 3, 127, 95, generator=torch.Generator().manual_seed(1)) * 2 - 1
SIZE = (127, 95)


def network(head="gap_bn", loss="softmax", size=SIZE, **fields):
    torch.manual_seed(0)
    head = resolve("head", {"name": head, "dimension": 16, **fields})
    made = Network(resolve("backbone", "alexnet"), head, resolve("loss", loss), 5, size)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.weight)
            nn.init.uniform_(module.bias)
            module.running_mean.uniform_(-0.05, 0.05)
            module.running_var.uniform_(0.5, 2)
    return made


def explain(made, target=None, images=IMAGES, size=SIZE):
    return CAMConfig().build().explain(made, images, target or ClassLogit(LABELS), size)


def test_all_that_is_linear_is_pushed_through_exactly():
    """By matrices: w = W_classifier W_head diag(gamma / sigma), and the biases on their own."""
    made = network().double()
    images = IMAGES.double()
    found = explain(made, images=images)
    norm, last, final = made.head.norm, made.head.linear, made.loss.linear
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    matrix = final.weight @ last.weight * scale
    constant = final.weight @ (last.weight @ (norm.bias - scale * norm.running_mean) + last.bias) + final.bias
    features = made.eval().features(images)
    expected = torch.einsum("nk,nkhw->nhw", matrix[LABELS], features).detach().numpy()
    np.testing.assert_allclose(found.maps, expected.astype(np.float32), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.notes["biases"], constant[LABELS].detach().numpy(), rtol=0, atol=1e-12)
    assert found.signed
    assert found.layer == "pool5"
    assert found.layer_shape == (256, 3, 2) == (*features.shape[1:],)


def test_the_mean_of_a_map_and_the_bias_are_the_score():
    made = network()
    for target in (ClassLogit(LABELS), Cosine(torch.randn(2, 16, generator=torch.Generator().manual_seed(3)))):
        found = explain(made, target)
        scores = target.scores(made.eval(), made.embed(IMAGES)).detach().numpy()
        np.testing.assert_allclose(found.notes["scores"], scores, rtol=1e-5)
        np.testing.assert_allclose(found.maps.mean((1, 2)) + found.notes["biases"], scores, rtol=1e-5, atol=1e-6)


def test_it_is_gradcam_without_relu_times_the_number_of_positions():
    made = network().eval()
    found = explain(made)
    for number in range(2):
        target = ClassLogit(LABELS[number : number + 1])
        name, activation, gradient = at_layer(made, made.backbone.stages(), IMAGES[number][None], target)
        assert name == found.layer
        plain = (gradient.mean((1, 2))[:, None, None] * activation).sum(0) * activation[0].numel()
        np.testing.assert_allclose(found.maps[number], plain.numpy(), rtol=1e-4, atol=1e-6 * np.abs(found.maps).max())
    rectified = (
        resolve("explainer", {"name": "gradcam", "layer": "pool5"}).build().explain(made, IMAGES, ClassLogit(LABELS), SIZE)
    )
    np.testing.assert_allclose(np.maximum(found.maps, 0) / 6, rectified.maps, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("head", "loss", "target", "words"),
    [
        ({"head": "gap_bn"}, "arcface", None, "Div"),
        ({"head": "l2"}, "softmax", None, "Div"),
        ({"head": "dense", "hidden": []}, "softmax", None, "LeakyRelu"),
        ({"head": "dense", "hidden": [], "activation": "linear", "pool": "max"}, "softmax", None, "Amax"),
        ({"head": "deepface_f7"}, "softmax", None, "Relu"),
        ({"head": "fc_bn"}, "softmax", None, "weighs places differently"),
        ({"head": "gdc"}, "softmax", None, "weighs places differently"),
        ({"head": "gap_bn"}, "softmax", Cosine(torch.ones(2, 16), detach_norm=False), "Div"),
    ],
)
def test_other_heads_are_refused_with_what_is_in_the_way(head, loss, target, words):
    with pytest.raises(Refused, match=words) as caught:
        explain(network(loss=loss, **head), target)
    assert caught.value.code == "not_linear_head"


def test_a_stack_of_linear_layers_on_the_average_is_linear():
    hidden = [{"width": 8, "activation": "linear", "dropout": 0.3}]
    made = network("dense", hidden=hidden, activation="linear", batch_norm=True)
    found = explain(made)
    scores = made.eval()(IMAGES).gather(1, LABELS[:, None])[:, 0].detach().numpy()
    np.testing.assert_allclose(found.maps.mean((1, 2)) + found.notes["biases"], scores, rtol=1e-5, atol=1e-6)


def test_a_map_of_one_place_is_refused():
    with pytest.raises(Refused) as caught:
        explain(network(size=63), images=IMAGES[:, :, :63, :63], size=63)
    assert caught.value.code == "layer_too_coarse"


def test_it_is_found_by_name():
    assert resolve("explainer", "cam") == CAMConfig()

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.score_cam import ScoreCAMConfig, masks_of, score_cam

MODES = ("wang2020", "wang_code", "pytorch_grad_cam", "torch_cam", "raw_logits", "pairs")


class Backbone(nn.Module):
    """Its stage ``two`` has a dead channel, 1, and a constant one that is not 0, 4."""

    channels = 7

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1), nn.SiLU())
        self.two = nn.Sequential(nn.Conv2d(5, 7, 3, 2, 1), nn.BatchNorm2d(7), nn.ReLU(inplace=True))
        with torch.no_grad():
            self.two[0].weight[[1, 4]] = 0
            self.two[0].bias[[1, 4]] = torch.tensor([-1.0, 0.3])

    def stages(self):
        return {"one": self.one, "two": self.two}

    def forward(self, images):
        return self.two(self.one(images))


class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 12)

    def logits(self, embeddings):
        return self.linear(embeddings)


class Net(nn.Module):
    def __init__(self, bias=True):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = Backbone()
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(7 * 16, 6, bias=bias))
        self.loss = Loss()

    def embed(self, images):
        return self.head(self.backbone(images))

    def forward(self, images):
        return self.loss.logits(self.embed(images))


@pytest.fixture
def network():
    return Net().double()


def images(count=3, seed=1, size=16, dtype=torch.float64):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


TARGETS = ClassLogit(torch.tensor([2, 0, 11]))


def enlarged(channel, side, corners):
    """Bilinear, pixel by pixel."""
    cells = channel.shape[0]
    out = np.zeros((side, side))
    for i in range(side):
        for j in range(side):
            if corners:
                y, x = i * (cells - 1) / (side - 1), j * (cells - 1) / (side - 1)
            else:
                y, x = (max((p + 0.5) * cells / side - 0.5, 0) for p in (i, j))
            top, left = int(y), int(x)
            low, right = min(top + 1, cells - 1), min(left + 1, cells - 1)
            dy, dx = y - top, x - left
            out[i, j] = (
                channel[top, left] * (1 - dy) * (1 - dx)
                + channel[top, right] * (1 - dy) * dx
                + channel[low, left] * dy * (1 - dx)
                + channel[low, right] * dy * dx
            )
    return out


def literal(network, image, score, mode):
    """Channel by channel, one masked image at a time; ``score`` takes an embedding."""
    activation = network.backbone(image[None])[0].detach().numpy()
    side = image.shape[1]
    weights, live = [], []
    for channel in activation:
        constant = channel.max() == channel.min()
        mask = np.zeros((side, side))
        if not constant:
            if mode in ("raw_logits", "torch_cam", "pairs"):
                epsilon = 1e-8 if mode == "torch_cam" else 0
                mask = enlarged((channel - channel.min()) / (channel.max() - channel.min() + epsilon), side, False)
            else:
                mask = enlarged(channel, side, mode == "pytorch_grad_cam")
                epsilon = 1e-8 if mode == "pytorch_grad_cam" else 0
                mask = (mask - mask.min()) / (mask.max() - mask.min() + epsilon)
        masked = torch.from_numpy(image.numpy() * mask)[None]
        weights.append(float(score(network.embed(masked))))
        live.append(not constant)
    weights, live = np.array(weights), np.array(live)
    if mode == "torch_cam":
        weights = weights - float(score(network.embed(image[None])))
    if mode == "wang2020":
        weights = weights - float(score(network.embed(torch.zeros_like(image)[None])))
    if mode in ("wang2020", "pytorch_grad_cam", "torch_cam"):
        weights = np.exp(weights - weights.max()) / np.exp(weights - weights.max()).sum()
    else:
        if mode == "pairs":
            weights = weights - weights[live].mean()
        weights = np.where(live, weights, 0)
    shown = [enlarged(channel, side, False) for channel in activation] if mode == "wang_code" else activation
    return np.maximum(sum(weight * channel for weight, channel in zip(weights, shown, strict=True)), 0)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_its_definition_step_by_step(network, mode):
    network.eval()
    with torch.no_grad():
        label = int(network(images(1)).argmax())

    def score(embedding):
        logits = network.loss.logits(embedding)[0]
        return logits.softmax(0)[label] if mode == "wang_code" else logits[label]

    for image in images():
        target = ClassLogit(torch.tensor([label]))
        found, dead = score_cam(network, network.backbone.two, image[None], target, mode, batch=3)
        with torch.no_grad():
            expected = literal(network, image, score, mode)
        assert expected.any()
        assert dead == 2
        np.testing.assert_allclose(found[0].numpy(), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "wang_code"])
def test_every_mode_but_one_takes_a_cosine(network, mode):
    network.eval()
    with torch.no_grad():
        reference = network.embed(images(1, seed=9))
        image = images(1)
        found, _ = score_cam(network, network.backbone.two, image, Cosine(reference), mode, batch=4)
        expected = literal(network, image[0], lambda embedding: functional.cosine_similarity(embedding, reference)[0], mode)
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=0, atol=1e-12)
    assert expected.any()


def test_the_default_is_the_published_algorithm_for_a_class_and_pairs_for_a_cosine(network):
    cosine = Cosine(torch.ones(3, 6, dtype=torch.float64))
    for mode, target, expected in (
        (None, TARGETS, "wang2020"),
        (None, cosine, "pairs"),
        ("raw_logits", cosine, "raw_logits"),
        ("pairs", TARGETS, "pairs"),
    ):
        found = ScoreCAMConfig(mode=mode, layer="two").build().explain(network, images(), target, 16)
        same = ScoreCAMConfig(mode=expected, layer="two").build().explain(network, images(), target, 16)
        assert found.notes["mode"] == expected
        np.testing.assert_array_equal(found.maps, same.maps)


def test_a_probability_of_a_cosine_is_refused(network):
    with pytest.raises(Refused) as caught:
        ScoreCAMConfig(mode="wang_code").build().explain(network, images(), Cosine(torch.ones(3, 6)), 16)
    assert caught.value.code == "no_probability"


def test_it_agrees_with_pytorch_grad_cam():
    from pytorch_grad_cam import ScoreCAM
    from pytorch_grad_cam.utils.image import scale_cam_image
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    network = Net().eval()
    with torch.no_grad():
        # A constant that is not 0 is noise there: it is enlarged, and what rounding leaves is brought to [0, 1].
        network.backbone.two[0].bias[4] = -1.0
    batch = images(dtype=torch.float32)
    found = ScoreCAMConfig(mode="pytorch_grad_cam", layer="two").build().explain(network, batch, TARGETS, 16)
    with ScoreCAM(network, [network.backbone.two]) as peer:
        expected = peer(batch, [ClassifierOutputTarget(int(label)) for label in TARGETS.labels])
    ours = scale_cam_image(scale_cam_image(found.maps, (16, 16)))  # which they do twice: for each layer, and for all
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5 * expected.max())
    assert found.maps.std() > 0.01


def correlation(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_centered_weights_keep_the_reference_that_a_channel_softmax_erases():
    """Maps of one image for two unrelated references, whose embeddings are orthogonal."""
    from modules.backbones import efficientnet_lite0

    torch.manual_seed(0)
    network = nn.Module()
    network.backbone = efficientnet_lite0.EfficientNetLite0Config().build()
    network.head = nn.Sequential(nn.Flatten(), nn.LazyLinear(16))
    network.embed = lambda given: network.head(network.backbone(given))
    network.eval()
    image = images(1, size=64, dtype=torch.float32)
    with torch.no_grad():
        network.embed(image)
        directions = torch.linalg.qr(torch.randn(16, 2))[0].T
    maps = {}
    for mode in ("pytorch_grad_cam", "torch_cam", "pairs"):
        explainer = ScoreCAMConfig(mode=mode, layer="blocks.2", min_side=1, batch=16).build()
        maps[mode] = explainer.explain(network, image.expand(2, -1, -1, -1), Cosine(directions), 64).maps
    softmax = min(correlation(*maps[mode]) for mode in ("pytorch_grad_cam", "torch_cam"))
    assert softmax > 0.95
    assert correlation(*maps["pairs"]) < softmax - 0.2


@pytest.mark.parametrize("mode", MODES)
def test_an_image_without_a_live_channel_has_an_empty_map_or_a_constant_one(network, mode):
    """A backbone that ignores the image: every channel is constant."""
    with torch.no_grad():
        network.backbone.two[0].weight.zero_()
    found = ScoreCAMConfig(mode=mode, layer="two").build().explain(network, images(), TARGETS, 16)
    assert np.isfinite(found.maps).all()
    assert found.notes["constant_channels"] == [7, 7, 7]
    assert all(one.max() == pytest.approx(one.min(), rel=1e-6) for one in found.maps)
    if mode in ("raw_logits", "wang_code", "pairs"):
        assert found.notes["empty_maps"] == [0, 1, 2]


def test_masks_reach_0_and_1_where_their_definition_says_so():
    channels = images(1)[0][:, :4, :4]
    for mode in MODES:
        masks = masks_of(channels, (9, 11), mode)
        assert masks.shape == (3, 1, 9, 11)
        assert masks.min() >= 0
        assert masks.max() <= 1
        if mode in ("wang2020", "wang_code", "pytorch_grad_cam"):
            assert torch.allclose(masks.amax((1, 2, 3)), torch.ones(3).double(), atol=1e-7)


def test_an_embedding_of_length_zero_is_refused():
    """Without biases, the mid-gray image that a dead channel makes has the embedding 0."""
    network = Net(bias=False).double()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.bias.zero_()
    with pytest.raises(Refused, match="length 0") as caught:
        ScoreCAMConfig(mode="torch_cam", layer="two").build().explain(network, images(), Cosine(torch.ones(3, 6)), 16)
    assert caught.value.code == "not_finite"


@pytest.mark.parametrize("mode", MODES)
def test_a_map_does_not_depend_on_the_other_images(network, mode):
    explainer = ScoreCAMConfig(mode=mode, layer="two", batch=4).build()
    together = explainer.explain(network, images(), TARGETS, 16).maps
    for index in range(3):
        alone = explainer.explain(network, images()[index : index + 1], TARGETS.take([index]), 16).maps
        np.testing.assert_array_equal(alone[0], together[index])


def test_the_layer_is_chosen_as_for_gradcam(network):
    assert ScoreCAMConfig().build().explain(network, images(), TARGETS, 16).layer == "two"
    found = ScoreCAMConfig(min_side=5).build().explain(network, images(), TARGETS, 16)
    assert (found.layer, found.layer_shape, found.maps.shape) == ("one", (5, 8, 8), (3, 8, 8))
    with pytest.raises(Refused, match="one 8x8, two 4x4") as caught:
        ScoreCAMConfig(min_side=9).build().explain(network, images(), TARGETS, 16)
    assert caught.value.code == "layer_too_coarse"
    with pytest.raises(ValueError, match="known: one, two"):
        ScoreCAMConfig(layer="three").build().explain(network, images(), TARGETS, 16)


def test_the_network_is_left_as_it_was(network):
    network.train()
    network.backbone.one.eval()
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    ScoreCAMConfig().build().explain(network, images(), TARGETS, 16)
    with pytest.raises((IndexError, RuntimeError)):
        ScoreCAMConfig().build().explain(network, images(), ClassLogit(torch.tensor([100] * 3)), 16)
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("bias", [-100.0, -10.0, 100.0])
def test_only_raw_logits_lose_a_class_that_scores_below_zero_everywhere(network, bias):
    network.eval()
    with torch.no_grad():
        network.loss.linear.bias[2] = bias
    empty = {}
    for mode in ("wang2020", "wang_code", "pytorch_grad_cam", "torch_cam", "raw_logits", None):
        found = ScoreCAMConfig(mode=mode).build().explain(network, images(), ClassLogit(torch.tensor([2, 2, 2])), 16)
        empty[mode] = found.notes["empty_maps"]
    assert empty.pop("raw_logits") == ([0, 1, 2] if bias < 0 else [])
    assert set(map(tuple, empty.values())) == {()}


def test_the_published_algorithm_does_not_depend_on_a_constant_in_the_score(network):
    network.eval()
    before = ScoreCAMConfig(mode="wang2020").build().explain(network, images(), TARGETS, 16).maps
    with torch.no_grad():
        network.loss.linear.bias += 7
    np.testing.assert_allclose(
        ScoreCAMConfig(mode="wang2020").build().explain(network, images(), TARGETS, 16).maps, before, rtol=1e-9
    )


def test_it_is_found_by_name():
    assert resolve("explainer", "score_cam") == ScoreCAMConfig()


def test_an_image_without_a_direction_and_without_a_live_channel_is_refused_too():
    net = Net(bias=False).double().eval()
    with torch.no_grad():
        net.backbone.two[1].weight.zero_()
        net.backbone.two[1].bias.zero_()
    for mode in ("raw_logits", "pairs"):
        with pytest.raises(Refused) as caught:
            ScoreCAMConfig(mode=mode, layer="two").build().explain(net, images(), Cosine(torch.ones(3, 6)), 16)
        assert caught.value.code == "not_finite"

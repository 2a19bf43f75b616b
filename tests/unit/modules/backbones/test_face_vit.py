"""Vision transformers for faces: published sizes, tokens, one training step, and every explainer."""

from typing import Any

import pytest
import torch
from one_step import small, untrained
from pydantic import ValidationError

from configs.explainers import PairExplainerConfig
from configs.lookup import known, resolve
from modules.attribution.explainer import Reference, Refused
from modules.attribution.targets import ClassLogit
from modules.backbones.face_vit import VARIANTS, FaceViTConfig
from modules.model_complexity import count
from modules.network import Network
from modules.shape_inference import forward_pass, stage_shapes
from modules.training.freezing import freeze

SIZE = 36  # 4 x 4 tokens of 9 pixels
TINY = {"name": "face_vit", "variant": "tiny", "size": SIZE}


def _by_hand(variant: str) -> tuple[int, int]:
    """Parameters (without mask token) and multiply-adds with the head of 512 numbers at 112 x 112."""
    width, depth, _, ratio, patch = VARIANTS[variant]
    places = (112 // patch) ** 2
    hidden = ratio * width
    block = 4 * width * width + width + 2 * width * hidden + hidden + width + 4 * width
    embedding = 3 * patch**2 * width
    head = places * width * width + width * 512 + 2 * width + 2 * 512
    parameters = embedding + width + places * width + depth * block + 2 * width + head
    products = places * (4 * width * width + 2 * width * hidden) + 2 * places * places * width
    return parameters, places * embedding + depth * products + places * width * width + width * 512


@pytest.mark.parametrize(
    ("variant", "published"), [("tiny", 1.5), ("small", 5.7), ("base", 11.4), ("large", 25.3), ("cvlface_base", None)]
)
def test_multiply_adds_are_the_published_ones(variant: Any, published: float | None) -> None:
    parts: list[Any] = [FaceViTConfig(variant=variant, masking=0), resolve("head", "tokens"), resolve("loss", "softmax")]
    found = count(parts[0], parts[1], parts[2], 10, 112)
    assert (found.parameters, found.flops / 2) == _by_hand(variant)
    if published is not None:
        assert round(found.flops / 2e9, 1) == published


def test_the_mask_token_is_the_only_parameter_of_masking() -> None:
    parts: list[Any] = [resolve("head", "tokens"), resolve("loss", "softmax")]
    counts = [count(FaceViTConfig(masking=one), parts[0], parts[1], 10, 112).parameters for one in (0, 0.1)]
    assert counts[1] - counts[0] == 512


def test_every_stage_has_one_location_for_each_token() -> None:
    shapes = stage_shapes(FaceViTConfig(variant="base"), 112)
    assert list(shapes) == ["patch_embed", "blocks.5", "blocks.11", "blocks.17", "blocks.23", "norm"]
    assert set(shapes.values()) == {(512, 12, 12)}


def test_a_location_is_the_token_of_its_patch() -> None:
    torch.manual_seed(0)
    net: Any = FaceViTConfig(**TINY).build().eval()
    for block in net.blocks:  # without attention a token depends on its own patch alone
        torch.nn.init.zeros_(block.attn.proj.weight)
    images = torch.randn(1, 3, SIZE, SIZE)
    moved = images.clone()
    moved[:, :, 9:18, 27:36] += 1
    changed = (net(images) != net(moved)).any(dim=1)[0]
    assert changed.nonzero().tolist() == [[1, 3]]


def test_masking_is_for_training_and_fills_in_the_mask_token() -> None:
    torch.manual_seed(0)
    net: Any = FaceViTConfig(**{**TINY, "masking": 0.25, "drop_path": 0}).build()
    images = torch.randn(3, 3, SIZE, SIZE)
    masked = (net(images) == net.mask.token[0, 0, :, None, None]).all(dim=1)
    assert masked.sum(dim=(1, 2)).tolist() == [4] * 3
    net.eval()
    assert torch.equal(net(images), net(images))
    assert not bool((net(images) == net.mask.token[0, 0, :, None, None]).all(dim=1).any())


def test_the_gradient_of_masked_tokens_reaches_only_the_kept_patches() -> None:
    torch.manual_seed(1)
    net: Any = FaceViTConfig(**{**TINY, "masking": 0.25, "drop_path": 0}).build()
    images = torch.randn(1, 3, SIZE, SIZE, requires_grad=True)
    net(images).square().sum().backward()
    assert images.grad is not None
    reached = images.grad.abs().sum(1).view(4, 9, 4, 9).sum((1, 3)) > 0
    assert int(reached.sum()) == 12


def test_another_image_size_is_refused_with_the_field() -> None:
    with pytest.raises(ValueError, match=r"positions for 112 x 112 pixels only, found 96 x 96; set backbone.size"):
        forward_pass(FaceViTConfig(), 96)
    with pytest.raises(ValidationError, match="size 8 holds no patch of 9 pixels; the smallest is 9"):
        FaceViTConfig(size=8)
    with pytest.raises(ValidationError, match=r"masking 0\.8 leaves none of the 4 tokens; lower it"):
        FaceViTConfig(size=18, masking=0.8)


def test_skipping_grows_linearly_with_depth() -> None:
    net: Any = FaceViTConfig(**{**TINY, "drop_path": 0.22}).build()
    rates = [getattr(block.drop, "p", 0.0) for block in net.blocks]
    assert rates == pytest.approx([0.02 * place for place in range(12)])


@pytest.mark.parametrize("head", ["tokens", {"name": "tokens", "pool": "average"}, "gap_bn"])
def test_one_step_reaches_every_parameter(head: Any) -> None:
    settings = {"name": head, "dimension": 8} if isinstance(head, str) else {**head, "dimension": 8}
    assert untrained(small({**TINY, "drop_path": 0}, settings, SIZE), SIZE) == []


def test_training_can_begin_at_a_stage() -> None:
    net: Any = FaceViTConfig(**TINY).build()
    freeze(net, "blocks.8")
    trained = {name.split(".")[0] for name, value in net.named_parameters() if value.requires_grad}
    assert trained == {"blocks", "norm", "mask"}
    assert not any(value.requires_grad for value in net.blocks[7].parameters())


SETTINGS: dict[str, dict[str, Any]] = {
    "activation_maximization": {"steps": 2},
    "lime": {"samples": 20},
    "rise": {"masks": 8},
    "corr_rise": {"masks": 8},
    "fame": {"steps": 3},
    "smoothgrad": {"samples": 2, "batch": 2},
    "integrated_gradients": {"steps": 2, "batch": 2},
    "reconstruction": {"threshold": 0.3, "head": "linear"},
}
REFUSALS = {
    "abn_attention": "no_attention",
    "cam": "not_linear_head",
    "deconvnet": "not_relu",
    "guided_backprop": "not_relu",
    "guided_gradcam": "not_relu",
}


@pytest.fixture(scope="module")
def transformer() -> Any:
    torch.manual_seed(0)
    parts: list[Any] = [
        resolve("backbone", TINY),
        resolve("head", {"name": "tokens", "dimension": 8}),
        resolve("loss", "softmax"),
    ]
    return Network(parts[0], parts[1], parts[2], 3, SIZE, resolve("decoder", {"name": "unet", "width": 4})).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", known("explainer"))
def test_every_explainer_gives_maps_or_says_why_not(transformer: Any, name: str) -> None:
    config: Any = resolve("explainer", {"name": name, **SETTINGS.get(name, {})})
    images = torch.rand(8, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3)) * 2 - 1
    reference = Reference(images[:4], images[4:], torch.tensor([True, False] * 2), torch.zeros(3))

    def maps() -> Any:
        if isinstance(config, PairExplainerConfig):
            return config.build().explain(transformer, images[:1], 0.5 * images[:1], SIZE, reference)
        return config.build().explain(transformer, images[:2], ClassLogit(torch.tensor([0, 2])), SIZE)

    if name in REFUSALS:
        with pytest.raises(Refused) as caught:
            maps()
        assert caught.value.code == REFUSALS[name]
        assert "\n" not in caught.value.reason
        return
    found = maps()
    each = list(found.maps.values()) if isinstance(found.maps, dict) else [found.maps]
    assert any(bool((one != 0).any()) for one in each)


def test_grad_cam_takes_the_normalized_tokens() -> None:
    network = small(TINY, {"name": "tokens", "dimension": 8}, SIZE).eval()
    explainer: Any = resolve("explainer", "gradcam")
    found = explainer.build().explain(network, torch.rand(1, 3, SIZE, SIZE), ClassLogit(torch.tensor([1])), SIZE)
    assert (found.layer, found.layer_shape) == ("norm", (256, 4, 4))

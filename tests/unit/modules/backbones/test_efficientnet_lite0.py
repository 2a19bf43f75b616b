"""EfficientNet-Lite0; its weights are tested in test_lite_weights.py."""

from modules.backbones.efficientnet_lite0 import Config
from modules.shapes import stage_shapes


def test_the_map_comes_after_the_final_convolution() -> None:
    shapes = stage_shapes(Config(), 112)
    assert list(shapes) == ["bn1", *(f"blocks.{stage}" for stage in range(7)), "bn2"]
    assert shapes["blocks.6"] == (320, 4, 4)
    assert shapes["bn2"] == (1280, 4, 4)


def test_only_imagenet_weights_are_pinned() -> None:
    assert Config().weights_of("imagenet") is not None
    assert Config().weights_of("other") is None

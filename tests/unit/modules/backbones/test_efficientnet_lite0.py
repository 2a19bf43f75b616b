"""EfficientNet-Lite0 and EfficientNet-Lite1; their weights are tested in weights/test_efficientnet_lite.py."""

from typing import Any

import pytest

from modules.backbones.efficientnet_lite0 import EfficientNetLite0Config
from modules.backbones.efficientnet_lite1 import EfficientNetLite1Config
from modules.shape_inference import stage_shapes

BOTH = pytest.mark.parametrize("config", [EfficientNetLite0Config(), EfficientNetLite1Config()], ids=lambda config: config.name)


@BOTH
def test_the_map_comes_after_the_final_convolution(config: Any) -> None:
    shapes = stage_shapes(config, 112)
    assert list(shapes) == ["bn1", *(f"blocks.{stage}" for stage in range(7)), "bn2"]
    assert shapes["blocks.6"] == (320, 4, 4)
    assert shapes["bn2"] == (1280, 4, 4)


@BOTH
def test_only_imagenet_weights_are_pinned(config: Any) -> None:
    assert config.weights_of("imagenet") is not None
    assert config.weights_of("other") is None

"""EfficientNet-Lite1; its weights are tested in test_lite_weights.py."""

from modules.backbones.efficientnet_lite1 import EfficientNetLite1Config
from modules.shape_inference import stage_shapes


def test_the_map_comes_after_the_final_convolution() -> None:
    shapes = stage_shapes(EfficientNetLite1Config(), 112)
    assert list(shapes) == ["bn1", *(f"blocks.{stage}" for stage in range(7)), "bn2"]
    assert shapes["blocks.6"] == (320, 4, 4)
    assert shapes["bn2"] == (1280, 4, 4)


def test_only_imagenet_weights_are_pinned() -> None:
    assert EfficientNetLite1Config().weights_of("imagenet") is not None
    assert EfficientNetLite1Config().weights_of("other") is None

"""EfficientNet-B1 as the study counts it."""

import torch

from modules.backbones.efficientnet_b1 import EfficientNetB1Config
from modules.shape_inference import on_meta


def test_it_has_23_blocks_and_no_final_convolution() -> None:
    body = on_meta(EfficientNetB1Config()).body
    assert sum(len(stage) for stage in body.blocks) == 23
    assert not [name for name in body.state_dict() if name.startswith(("conv_head", "bn2"))]


def test_padding_is_that_of_tensorflow() -> None:
    assert type(on_meta(EfficientNetB1Config()).body.conv_stem).__name__ == "Conv2dSame"


def test_the_map_is_linear_so_it_takes_both_signs() -> None:
    torch.manual_seed(0)
    features = EfficientNetB1Config().build().eval()(torch.rand(1, 3, 64, 64) * 2 - 1)
    assert features.shape == (1, 320, 2, 2)
    assert features.min() < 0 < features.max()


def test_paths_are_dropped_more_often_the_deeper_they_are() -> None:
    rates = [block.drop_path.drop_prob for stage in on_meta(EfficientNetB1Config()).body.blocks for block in stage[1:]]
    assert rates == sorted(rates)
    assert 0.18 < rates[-1] < 0.2
    plain = on_meta(EfficientNetB1Config(drop_path=0.0)).body
    assert not [module for module in plain.modules() if type(module).__name__ == "DropPath"]


def test_running_statistics_move_by_the_momentum_of_the_config() -> None:
    assert on_meta(EfficientNetB1Config()).body.bn1.momentum == 0.01
    assert on_meta(EfficientNetB1Config(bn_momentum=0.1)).body.bn1.momentum == 0.1


def test_imagenet_weights_are_the_autoaugment_ones() -> None:
    pinned = EfficientNetB1Config().weights_of("imagenet")
    assert pinned is not None
    assert pinned.tag == "timm/tf_efficientnet_b1.aa_in1k"
    assert EfficientNetB1Config().weights_of("other") is None

"""Converts the weights of VGG-Face (Parkhi et al., BMVC 2015) from Oxford's layout to VGG-16's names and our pixel range.

The published network uses the names conv1_1 ... conv5_3, fc6, fc7, fc8, and pixels from 0 to 255 minus a mean color. Ours
uses v in [-1, 1], which is (pixel - 127.5) / 127.5. So in the first layer, with pixel = 127.5 v + 127.5,

    sum w (pixel - mean) + b = sum (127.5 w) v + (b + sum w (127.5 - mean)).

The published network pads with zeros, i.e. with its mean color. In our pixel range this is the color ``MEAN_FACE``: the
conversion is exact including the border if the first convolution is padded with that color.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor

from modules.weights.published import PinnedWeights, torch_hub_cache

Order = Literal["rgb", "bgr"]
MEAN = (129.186279296875, 104.76238250732422, 93.59396362304688)  # red, green, blue; of the network's training images
MEAN_FACE = ((MEAN[0] - 127.5) / 127.5, (MEAN[1] - 127.5) / 127.5, (MEAN[2] - 127.5) / 127.5)
FIRST = "features.0"
CLASSIFIER = ("fc6", "fc7", "fc8")
_FILE = "vgg_face_dag.pth"
_DEPTHS = (2, 2, 3, 3, 3)
_NAME = re.compile(r"conv_?([1-5])_([1-3])\.(weight|bias)")


def published() -> PinnedWeights:
    """Oxford's conversion to torch, published without a digest."""
    return PinnedWeights(
        tag=f"oxford/{_FILE}",
        file=_FILE,
        files=lambda: torch_hub_cache(_FILE),
        how=f"get https://www.robots.ox.ac.uk/~albanie/models/pytorch-mcn/{_FILE} on a machine with internet, copy it to this "
        "machine, and set pretraining.path to the file",
        convert=to_vgg16,
        dropped=CLASSIFIER,
    )


def to_vgg16(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the tensors to torchvision's names, keeping the classifier's; also accepts names like "conv_1_1".

    Raises:
        ValueError: a name does not belong to VGG-Face.
    """
    starts = [0, *accumulate(2 * depth + 1 for depth in _DEPTHS)]  # a ReLU per convolution, a pooling per block
    found = {}
    for name, value in state.items():
        match = _NAME.fullmatch(name)
        if match and int(match[2]) <= _DEPTHS[int(match[1]) - 1]:
            found[f"features.{starts[int(match[1]) - 1] + 2 * (int(match[2]) - 1)}.{match[3]}"] = value
        elif name.split(".")[0] in CLASSIFIER:
            found[name] = value
        else:
            raise ValueError(f"{name} is no name of VGG-Face (its names are conv1_1.weight ... conv5_3.bias, fc6, fc7, fc8)")
    return found


def for_our_pixels(state: Mapping[str, Tensor], order: Order) -> dict[str, Tensor]:
    """The tensors of VGG-16 with the first layer converted to RGB in [-1, 1]; see the module docstring.

    Args:
        state: under torchvision's names, with ``features.0.weight`` (out, 3, h, w) and ``features.0.bias`` (out,)
        order: color order of the given weights
    """
    weight, bias = state[f"{FIRST}.weight"], state[f"{FIRST}.bias"]
    rgb = (weight.flip(1) if order == "bgr" else weight).double()
    shift = 127.5 - torch.tensor(MEAN, dtype=torch.float64, device=weight.device)
    moved = bias.double() + (rgb.sum((2, 3)) * shift).sum(1)
    return {**state, f"{FIRST}.weight": (127.5 * rgb).to(weight.dtype), f"{FIRST}.bias": moved.to(bias.dtype)}

"""DeepFace up to its last locally connected layer (Taigman et al., "DeepFace", CVPR 2014, Section 3.1).

C1 32 @ 11x11, M2 3x3/2, C3 16 @ 9x9, L4 16 @ 9x9, L5 16 @ 7x7/2, L6 16 @ 5x5; ReLU after each except M2. C: convolution, M:
max pooling, L: locally connected. Input 152 x 152; the last map is L6, (16, 21, 21); the head starts with F7
(``deepface_f7``), and F8 is the ``softmax`` loss.

No layer is padded, and M2 keeps the incomplete window at its end (142 to 71). This gives the paper's map sizes (142, 71, 63,
55, 25, 21) and its count: with F7 of 4,096 and F8 of 4,030 classes there are 118,850,144 weights and 73,630 biases, 118.9
million. Without the incomplete window M2 has side 70, and there are 113.0 million weights; padding M2 would give side 71 too.

The ablations are shallower but not smaller, since the remaining layers work on larger maps. With F7 and F8 they have 237
(without c3), 267 (without l4_l5) and 368 million parameters (without c3_l4_l5).

A locally connected layer has weights for one map size, so the network accepts only one image size: the field ``size``.

Every stage has a spatial map, so all explainers run. Those that weight channels (CAM, Grad-CAM and variants) are most
meaningful at c1, m2 and c3: from l4 on a channel has a different filter at every location, so one weight per channel is of
little use.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig
from modules.layers.initialization import gaussian, he
from modules.layers.input_gradients import Gradients
from modules.layers.locally_connected import LocallyConnected


class DeepFaceConfig(BackboneConfig):
    """16 channels.

    Fields:
        size: height and width of the images in pixels, 152 in the paper; must be the cell's input size
        without: omitted layers: ``c3``, ``l4_l5`` and ``c3_l4_l5`` are the paper's DF-sub1, DF-sub2 and DF-sub3
        view: input of the first layer, the colors or the ``Gradients`` of the ensemble's second network
        initial: weight initialization: ``he``, or the paper's ``gaussian`` (standard deviation 0.01, bias 0.5)
    """

    name: Literal["deepface"] = "deepface"
    size: int = Field(default=152, ge=1)
    without: Literal["none", "c3", "l4_l5", "c3_l4_l5"] = "none"
    view: Literal["rgb", "gradients"] = "rgb"
    initial: Literal["he", "gaussian"] = "he"

    @model_validator(mode="after")
    def _layers_fit(self) -> DeepFaceConfig:
        smallest = next(size for size in range(1, 200) if _cells(size, self.without) >= 1)
        if self.size < smallest:
            raise ValueError(
                f"size {self.size} leaves nothing of the map; the smallest is {smallest} (without: {self.without})"
            )
        return self

    def build(self) -> DeepFace:
        return DeepFace(self.size, self.without, self.view, self.initial)


class DeepFace(nn.Module):
    """See the module docstring; arguments as in ``Config``."""

    channels = 16

    def __init__(self, size: int, without: str, view: str, initial: str) -> None:
        super().__init__()
        self.size = size
        self.view: nn.Module = Gradients() if view == "gradients" else nn.Identity()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["c1"] = nn.Sequential(nn.Conv2d(3, 32, 11), nn.ReLU())
        layers["m2"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels, cells = 32, _after_m2(size)
        if "c3" not in without:
            layers["c3"] = nn.Sequential(nn.Conv2d(channels, 16, 9), nn.ReLU())
            channels, cells = 16, cells - 8
        for name, kernel, stride in (("l4", 9, 1), ("l5", 7, 2), ("l6", 5, 1)):
            if name not in without:
                local = LocallyConnected(channels, 16, (cells, cells), kernel, stride)
                layers[name] = nn.Sequential(local, nn.ReLU())
                channels, cells = 16, local.out_size[0]
        self.layers = nn.Sequential(layers)
        gaussian(self.layers) if initial == "gaussian" else he(self.layers)

    def stages(self) -> dict[str, nn.Module]:
        """c1, m2, c3, l4, l5 and l6, without omitted ones; l6 is the feature map."""
        return dict(self.layers.named_children())

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, size, size) RGB in [-1, 1] to (N, 16, h, w).

        Raises:
            ValueError: the images have another size.
        """
        if tuple(images.shape[2:]) != (self.size, self.size):
            raise ValueError(
                f"its locally connected layers have weights for {self.size} x {self.size} pixels only, "
                f"found {images.shape[2]} x {images.shape[3]}; set backbone.size"
            )
        return self.layers(self.view(images))


def _after_m2(size: int) -> int:
    return (size - 10 - 3 + 1) // 2 + 1  # the incomplete window counts


def _cells(size: int, without: str) -> int:
    """Side of the last map; below 1 if the image is too small."""
    if size < 13:
        return 0
    cells = _after_m2(size) - (0 if "c3" in without else 8)
    if "l4" not in without:
        cells = (cells - 8 - 7) // 2 + 1 if cells >= 15 else 0
    return cells - 4

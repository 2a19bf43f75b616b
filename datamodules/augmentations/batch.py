"""Flip, shift, scale, rotation, brightness, contrast, grayscale and an erased rectangle, computed on the training's device.

Loader processes only draw the parameters of each image; the pixels of a whole batch are computed where the network is trained,
so that loader processes do not limit a GPU. The rectangle is that of random erasing (Zhong et al., AAAI 2020), with one value
instead of noise.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from datamodules.augmentations._base import ORDERED, Probability, SmallChangesConfig
from datamodules.augmentations._fill import GRAY

if TYPE_CHECKING:
    from torch import Tensor

Share = Annotated[float, Field(gt=0, le=1)]

# Where the parameters of an image are: matrix, shift, contrast and brightness, whether it is gray, and the erased box.
MATRIX, SHIFT, LIGHT, GRAYED, BOX = slice(0, 4), slice(4, 6), slice(6, 8), 8, slice(9, 13)


class BatchConfig(SmallChangesConfig):
    name: Literal["batch"] = "batch"
    gray: Probability = 0.0  # probability of grayscale
    erase: Probability = 0.0  # probability of an erased rectangle
    # Smallest and largest side of the rectangle, as a fraction of the image's width and height, which are drawn separately.
    side: Annotated[tuple[Share, Share], ORDERED] = (0.1, 0.4)
    fill: Literal["black", "gray"] = "gray"  # of the rectangle

    @property
    def batched(self) -> bool:
        return True

    def build(self) -> Batch:
        return Batch(self)


class Batch:
    """The steps are applied in the order of the fields, and rounded to uint8 once, at the end."""

    def __init__(self, config: BatchConfig) -> None:
        self.config = config

    def draw(self, seed: int) -> np.ndarray:
        """The parameters of one image, float32 (13,); a pure function of ``seed``.

        All random numbers are drawn in any case, so that a changed probability of one step does not change the others.
        """
        config = self.config
        flip, move, right, down, width, height, turn, light, bright, strong, gray, erase, *box = (
            np.random.default_rng(seed).random(16).tolist()
        )
        moves, lit = move < config.move, light < config.light

        def up_to(most: float, chance: float, happens: bool) -> float:
            """Uniform from -most to most."""
            return most * (2 * chance - 1) if happens else 0.0

        # In pixels from the center, a point p is moved to R S p + t. So what is seen at q was at S^-1 R^-1 (q - t).
        angle = math.radians(up_to(config.rotate, turn, moves))
        wider, higher = 1 + up_to(config.scale, width, moves), 1 + up_to(config.scale, height, moves)
        x = -wider if flip < config.flip else wider  # the image is mirrored before
        found = [math.cos(angle) / x, -math.sin(angle) / x, math.sin(angle) / higher, math.cos(angle) / higher]
        found += [up_to(config.shift, right, moves), up_to(config.shift, down, moves)]
        found += [1 + up_to(config.contrast, strong, lit), up_to(config.brightness, bright, lit)]
        found += [float(gray < config.gray), *(self._box(box) if erase < config.erase else (0.0,) * 4)]
        return np.array(found, np.float32)

    def _box(self, chance: list[float]) -> tuple[float, float, float, float]:
        """A rectangle inside the image; width, height and place are uniform and independent."""
        low, high = self.config.side
        width, height = (low + (high - low) * one for one in chance[:2])
        x, y = (1 - width) * chance[2], (1 - height) * chance[3]
        return x, y, x + width, y + height

    def prepare(self, image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The image as it is, and its parameters."""
        return image, self.draw(seed)

    def apply(self, images: Tensor, parameters: Tensor) -> Tensor:
        """uint8 (B, H, W, 3) to the same shape, without waiting for the device.

        Args:
            images: on any device
            parameters: float32 (B, 13), on the same device; row i is what ``draw`` returns for image i

        Raises:
            ValueError: the images have another type or shape.
        """
        import torch

        from datamodules.augmentations._pixels import erased, grayed, lit, moved

        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
            found = f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
            raise ValueError(f"augmentation batch: images are uint8 (B, H, W, 3); found {found}")
        config, pixels = self.config, images.permute(0, 3, 1, 2).float()
        if config.flip or config.move:
            pixels = moved(pixels, parameters[:, MATRIX], parameters[:, SHIFT])
        if config.light:
            pixels = lit(pixels, *parameters[:, LIGHT].unbind(1))
        if config.gray:
            pixels = grayed(pixels, parameters[:, GRAYED])
        if config.erase:
            pixels = erased(pixels, parameters[:, BOX], {"black": 0, "gray": GRAY}[config.fill])
        return pixels.round().to(torch.uint8).permute(0, 2, 3, 1)

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The same for one image, uint8 (height, width, 3), on the CPU; a pure function of image and seed."""
        import torch

        pixels, parameters = torch.from_numpy(np.array(image)), torch.from_numpy(self.draw(seed))
        return np.ascontiguousarray(self.apply(pixels[None], parameters[None])[0].numpy())

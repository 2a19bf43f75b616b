"""Small identity-preserving changes: mirror, shift, scale, rotation, brightness, contrast."""

from __future__ import annotations

from typing import Literal

from datamodules.augmentations._base import Seeded, SmallChangesConfig, library
from datamodules.augmentations.pipeline import Pipeline


class BasicConfig(SmallChangesConfig):
    name: Literal["basic"] = "basic"

    def build(self) -> Pipeline:
        """One step per change: within albumentations' ``Compose``, all would draw the same number for their probability."""
        import cv2

        A = library()
        steps = {
            "flip": A.HorizontalFlip(p=self.flip),
            "move": A.Affine(
                translate_percent=(-self.shift, self.shift),
                scale=(1 - self.scale, 1 + self.scale),
                rotate=(-self.rotate, self.rotate),
                interpolation=cv2.INTER_LINEAR,
                border_mode=cv2.BORDER_REFLECT_101,
                p=self.move,
            ),
            "light": A.RandomBrightnessContrast(brightness_limit=self.brightness, contrast_limit=self.contrast, p=self.light),
        }
        return Pipeline([(name, Seeded(step)) for name, step in steps.items()])

"""Image files with attribute labels and without subjects: a part of a dataset, and fewer images of some classes.

A part is ``held_out``, a share of the images, or ``fit``, the others. ``subsample`` makes an imbalanced training set of a
balanced one, such as ``{race: {Indian: 0.1}}``: a tenth of the part's images with that label. Both choose images by the hashes
of (seed, key), so they do not depend on the order of the images, and a larger share includes the smaller ones.
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from datamodules.formats.files import FilesConfig
from datamodules.split import draw

Share = Annotated[float, Field(ge=0, le=1)]


class AttributeFilesConfig(FilesConfig, ABC):
    """Every image is its own identity."""

    identified: ClassVar[bool] = False
    part: Literal["all", "fit", "held_out"] = "all"
    held_share: Annotated[float, Field(gt=0, lt=1)] = 0.2  # fraction of the images in ``held_out``
    held_seed: int = 0  # seed of that choice, and of ``subsample``
    subsample: dict[str, dict[str, Share]] = Field(default_factory=dict)  # column -> class -> share of its images that is used

    def chosen(self, keys: Sequence[str], labels: Mapping[str, Sequence[str | None]]) -> list[str]:
        """The keys of the part, without those that ``subsample`` leaves out; in their order.

        Args:
            keys: of all images
            labels: column -> the class of each image, None if unknown

        Raises:
            ValueError: ``subsample`` names an unknown column, or a class that no image has.
        """
        kept = set(keys)
        if self.part != "all":
            held = set(self._first(keys, "", self.held_share))
            kept = {key for key in keys if (key in held) == (self.part == "held_out")}
        out: set[str] = set()
        for column, shares in self.subsample.items():
            if column not in labels:
                raise ValueError(f"subsample: {self.name} has no column {column!r} (known: {', '.join(sorted(labels))})")
            for name, share in shares.items():
                if name not in labels[column]:
                    known = sorted({label for label in labels[column] if label is not None})
                    raise ValueError(f"subsample.{column}: no image has the class {name!r} (known: {', '.join(known)})")
                of_class = [key for key, label in zip(keys, labels[column], strict=True) if label == name and key in kept]
                out |= set(of_class) - set(self._first(of_class, f"subsample {column} ", share))
        return [key for key in keys if key in kept and key not in out]

    def _first(self, keys: Sequence[str], purpose: str, share: float) -> list[str]:
        """A share of the keys, rounded up."""
        count = math.ceil(share * len(keys) - 1e-9)  # 0.07 * 100 is 7.000000000000001
        return sorted(keys, key=partial(draw, f"{purpose}{self.held_seed}"))[:count]

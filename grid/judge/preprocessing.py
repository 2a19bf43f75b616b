"""What a network from elsewhere expects of its images, and the usual choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

Three = tuple[float, float, float]
RANGES: dict[str, tuple[Three, Three]] = {  # name -> mean and std of pixels from 0 to 255, in the order red, green, blue
    "(x - 127.5) / 127.5": ((127.5,) * 3, (127.5,) * 3),
    "(x - 127.5) / 128": ((127.5,) * 3, (128.0,) * 3),
    "x / 255": ((0.0,) * 3, (255.0,) * 3),
    "x": ((0.0,) * 3, (1.0,) * 3),
    "ImageNet's mean and std": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
FACES: dict[str, dict[str, Any]] = {  # name -> detector
    "similarity": {"name": "mtcnn", "alignment": "similarity"},
    "listed": {"name": "mtcnn", "alignment": "similarity", "listed": True},
    "box": {"name": "mtcnn", "margin": 0},
    "none": {"name": "none"},
}
ORDERS = ("rgb", "bgr")
SIZES = ((112, 112), (112, 96), (160, 160), (224, 224))  # height and width of the images of public networks
PARTS = ("faces", "size", "range", "order")


@dataclass(frozen=True)
class Preprocessing:
    """How face crops are made and passed to a network.

    Attributes:
        order: of the color channels: rgb or bgr
        mean, std: the network sees (pixel - mean) / std; in the order red, green, blue
        faces: similarity (MTCNN's five landmarks on the places of ArcFace's template), listed (the same with the landmarks that
            a dataset lists, as IJB's do), box (MTCNN's box), or none (the whole image)
        size: (height, width) of the crops in pixels
    """

    order: str = "rgb"
    mean: Three = RANGES["(x - 127.5) / 127.5"][0]
    std: Three = RANGES["(x - 127.5) / 127.5"][1]
    faces: str = "similarity"
    size: tuple[int, int] = SIZES[0]

    @property
    def range(self) -> str:
        """The name of mean and std, or the numbers."""
        known = next((name for name, pair in RANGES.items() if pair == (self.mean, self.std)), None)
        return known or f"(x - {_short(self.mean)}) / {_short(self.std)}"

    @property
    def words(self) -> str:
        return f"{self.order.upper()}, {self.range}, faces: {self.faces}"

    def of_network(self) -> dict[str, Any]:
        """The settings of backbone ``external``, whose mean and std are in the network's order."""
        turn = -1 if self.order == "bgr" else 1
        return {"order": self.order, "mean": list(self.mean)[::turn], "std": list(self.std)[::turn]}

    def others(self, part: str, known: Sequence[Any] = ()) -> list[Preprocessing]:
        """This one with each of the other usual choices of a part of ``PARTS``.

        Args:
            known: faces or sizes that can be tried
        """
        if part == "order":
            found = [replace(self, order=order) for order in ORDERS]
        elif part == "range":
            found = [replace(self, mean=mean, std=std) for mean, std in RANGES.values()]
        else:
            found = [replace(self, **{part: one}) for one in known]
        return [one for one in found if one != self]

    def choice(self, part: str) -> str:
        """What was chosen for ``part``, in words."""
        size = f"{self.size[0]}x{self.size[1]}"
        return {"order": self.order.upper(), "range": self.range, "faces": self.faces, "size": size}[part]


def _short(values: Three) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"

"""What a network from elsewhere expects of its images, and the usual choices."""

from __future__ import annotations

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
    "box": {"name": "mtcnn", "margin": 0},
    "none": {"name": "none"},
}
ORDERS = ("rgb", "bgr")


@dataclass(frozen=True)
class Preprocessing:
    """How face crops are made and passed to a network.

    Attributes:
        order: of the color channels: rgb or bgr
        mean, std: the network sees (pixel - mean) / std; in the order red, green, blue
        faces: similarity (five landmarks on the places of ArcFace's template), box (MTCNN's box), or none (the whole image)
    """

    order: str = "rgb"
    mean: Three = RANGES["(x - 127.5) / 127.5"][0]
    std: Three = RANGES["(x - 127.5) / 127.5"][1]
    faces: str = "similarity"

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

    def others(self, part: str) -> list[Preprocessing]:
        """This one with each of the other usual choices of ``part``: order, range or faces."""
        if part == "order":
            found = [replace(self, order=order) for order in ORDERS]
        elif part == "range":
            found = [replace(self, mean=mean, std=std) for mean, std in RANGES.values()]
        else:
            found = [replace(self, faces=faces) for faces in FACES]
        return [one for one in found if one != self]

    def choice(self, part: str) -> str:
        """What was chosen for ``part``, in words."""
        return {"order": self.order.upper(), "range": self.range, "faces": self.faces}[part]


def _short(values: Three) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"

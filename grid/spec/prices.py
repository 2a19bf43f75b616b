"""What an hour of a GPU and of a CPU core costs."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator

from configs.component import Config

Price = Annotated[float, Field(ge=0)]


def is_in_name(part: str, name: str) -> bool:
    """Whether a GPU's name has this part: A10 and L4 are none of "NVIDIA A100-SXM4-80GB" and "NVIDIA L40S"."""
    return re.search(rf"(?<![a-z0-9]){re.escape(part.lower())}(?![a-z0-9])", name.lower()) is not None


class Prices(Config):
    """Prices per hour. ``gpu_hour`` maps a part of a GPU's name to its price, such as ``{H100: 2.5}``; ``any``: all others.

    A part consists of whole words: see ``is_in_name``.
    """

    currency: str = "USD"
    cpu_hour: Price = 0.0
    gpu_hour: dict[str, Price] = Field(default_factory=dict)

    @field_validator("gpu_hour")
    @classmethod
    def _no_blank_name(cls, prices: dict[str, float]) -> dict[str, float]:
        if any(not name.strip() for name in prices):
            raise ValueError("a blank name would fit every GPU; name a part of a GPU's name, or any for all others")
        return prices

    @property
    def named(self) -> bool:
        """Whether anything has a price."""
        return bool(self.cpu_hour or self.gpu_hour)

    def of_gpu(self, device: str | None) -> float | None:
        """The price of a GPU-hour on a device, the highest one of an unknown device; None if the table has none for it."""
        if device is None:
            return max(self.gpu_hour.values(), default=None)
        fits = [part for part in self.gpu_hour if part != "any" and is_in_name(part, device)]
        return self.gpu_hour[max(fits, key=len)] if fits else self.gpu_hour.get("any")

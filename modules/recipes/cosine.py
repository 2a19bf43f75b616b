"""Cosine decay of the learning rate (Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from modules.training.schedule import Warmed


class CosineConfig(Warmed):
    """The rate ends at ``lr`` x ``end``."""

    name: Literal["cosine"] = "cosine"
    select: Literal["best", "last"] = "last"
    end: Annotated[float, Field(ge=0, le=1)] = 0.0

    def factor(self, part: float) -> float:
        return self.end + (1 - self.end) * (1 + math.cos(math.pi * part)) / 2

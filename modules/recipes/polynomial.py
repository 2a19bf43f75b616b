"""Polynomial decay of the rate, ``lr`` (1 - t)^power, as used for the ArcFace family today (power 2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modules.training.schedule import Warmed


class PolynomialConfig(Warmed):
    name: Literal["polynomial"] = "polynomial"
    select: Literal["best", "last"] = "last"
    power: Annotated[float, Field(gt=0)] = 2.0

    def factor(self, part: float) -> float:
        return float((1 - part) ** self.power)

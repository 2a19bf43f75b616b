"""Limits on what a study may spend, as they are given to a command."""

from __future__ import annotations

from dataclasses import dataclass

from grid.spec.grid_file import BadInput
from grid.spec.prices import Prices


@dataclass(frozen=True)
class Limits:
    """Each is a total of the study; None: no limit. ``cost`` is in the currency of ``launch.prices``."""

    gpu_hours: float | None = None
    cpu_hours: float | None = None
    cost: float | None = None

    def check(self, prices: Prices) -> None:
        """Raises BadInput if money is limited and nothing has a price."""
        if self.cost is not None and not prices.named:
            raise BadInput("--max-cost needs launch.prices: set launch.prices.gpu_hour or launch.prices.cpu_hour")

    @property
    def given(self) -> bool:
        return (self.gpu_hours, self.cpu_hours, self.cost) != (None, None, None)

    @property
    def options(self) -> list[str]:
        """The options of the command that gave them: ``--max-gpu-hours``."""
        return [f"--max-{key.replace('_', '-')}" for key, value in vars(self).items() if value is not None]

    def words(self, currency: str) -> str:
        """``20 GPU-hours and USD 50``."""
        names = {"gpu_hours": "{:g} GPU-hours", "cpu_hours": "{:g} CPU-hours", "cost": f"{currency} {{:g}}"}
        return " and ".join(names[key].format(value) for key, value in vars(self).items() if value is not None)

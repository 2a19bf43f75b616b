"""No training: a pretrained network is evaluated and explained unchanged."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from configs.network_interfaces import RecipeConfig


class NoRecipeConfig(RecipeConfig):
    """``data`` is only used for detection and inspection; its subjects do not count as training subjects. Classes cannot be
    explained."""

    name: Literal["none"] = "none"
    epochs: Literal[0] = 0
    batch_size: Literal[1] = 1
    trains: ClassVar[bool] = False

    def build(self, parameters: Any, steps_per_epoch: int) -> Any:
        """Never called, since nothing is trained."""
        raise AssertionError("recipe none has no steps")

"""Nothing is trained: a pretrained network is measured and explained as it is."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from configs.interfaces import RecipeConfig


class NoRecipeConfig(RecipeConfig):
    """``data`` is then only detected in and looked at: nobody in it counts as trained on. No class can be explained."""

    name: Literal["none"] = "none"
    epochs: Literal[0] = 0
    batch_size: Literal[1] = 1
    trains: ClassVar[bool] = False

    def build(self, parameters: Any, steps_per_epoch: int) -> Any:
        """Never called, because nothing moves."""
        raise AssertionError("recipe none has no steps")

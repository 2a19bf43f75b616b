"""Training starts from a training on other data: the same backbone, head and loss, trained by a stage of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from configs.interfaces import BackboneConfig, DatasetConfig, DetectorConfig, RecipeConfig, TrainedPretrainingConfig
from configs.lookup import resolve
from modules.weights.files import fit, read, under


class SourceConfig(TrainedPretrainingConfig):
    """What the pretrain stage trains on, and how.

    Fields:
        data: the images
        detector: how their faces are cut out
        recipe: how the weights move; None: as in the cell
        epochs: how long; None: as the recipe says
    """

    name: Literal["source"] = "source"
    data: Annotated[SerializeAsAny[DatasetConfig], BeforeValidator(partial(resolve, "data"))]
    detector: Annotated[SerializeAsAny[DetectorConfig], BeforeValidator(partial(resolve, "detector"))] = Field(
        default={"name": "none"}  # type: ignore[assignment]  # resolved by the validator, like what a user writes
    )
    recipe: Annotated[SerializeAsAny[RecipeConfig], BeforeValidator(partial(resolve, "recipe"))] | None = None
    epochs: int | None = Field(default=None, ge=1)

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Takes the ``backbone.*`` weights of ``made``, a safetensors file of the pretrain stage.

        Raises:
            ValueError: the file is of another network; names file and key.
        """
        assert made is not None, "the pretrain stage comes before the training that starts from it"
        backbone.load_state_dict(fit(under(read(made), "backbone.", made), backbone.state_dict(), made))

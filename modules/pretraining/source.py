"""Initializes a network from a training on other data: the same backbone, head and loss, trained in a separate stage."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from configs.data_interfaces import DatasetConfig, DetectorConfig
from configs.lookup import resolve
from configs.network_interfaces import BackboneConfig, RecipeConfig, TrainedPretrainingConfig
from modules.weights.files import fit, read, under


class SourceConfig(TrainedPretrainingConfig):
    """Settings of the pretrain stage.

    Fields:
        data: the dataset
        detector: the face detector for cropping
        recipe: the training recipe; None: that of the cell
        epochs: number of epochs; None: that of the recipe
    """

    name: Literal["source"] = "source"
    data: Annotated[SerializeAsAny[DatasetConfig], BeforeValidator(partial(resolve, "data"))]
    detector: Annotated[SerializeAsAny[DetectorConfig], BeforeValidator(partial(resolve, "detector"))] = Field(
        default={"name": "none"}  # type: ignore[assignment]  # resolved by the validator, like what a user writes
    )
    recipe: Annotated[SerializeAsAny[RecipeConfig], BeforeValidator(partial(resolve, "recipe"))] | None = None
    epochs: int | None = Field(default=None, ge=1)

    def load(self, backbone: Any, config: BackboneConfig, made: Path | None) -> None:
        """Loads the ``backbone.*`` weights of ``made``, a safetensors file of the pretrain stage.

        Raises:
            ValueError: the file is of another network; reports file and key.
        """
        assert made is not None, "the pretrain stage comes before the training that starts from it"
        backbone.load_state_dict(fit(under(read(made), "backbone.", made), backbone.state_dict(), made))

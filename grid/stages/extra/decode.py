"""Trains a decoder on the frozen network of a cell, so that its latent space can be shown (Debreczeni et al., Section IV).

Only the decoder is trained: weights and batch statistics of backbone, head and loss stay bit-identical. The images are those
that the network was trained on, with the same split. It is a training like others: resumed after an interruption, validated
(mean squared error of held-out images, pixels in [-1, 1]) and with a recipe of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from configs.lookup import component, resolve
from configs.staging import StageConfig
from grid.spec.finished import Finished
from grid.spec.search import searched
from grid.spec.stage_kind import Graph, StageKind
from grid.spec.training import Reconstruction, Training
from grid.stages.context import Context, Result

RECIPE = {"name": "one_cycle", "optimizer": "adamw", "lr": 0.002, "epochs": 10}


class DecodeConfig(StageConfig):
    """Fields:
    decoder: maps the feature map to an image
    recipe: of its training; its ``trainable`` is always ``decoder``
    augmentation: of the training images; the decoder is to reconstruct the augmented image
    """

    name: Literal["decode"] = "decode"
    decoder: component("decoder") = Field(default_factory=lambda: {"name": "unet"})  # type: ignore[valid-type]
    recipe: component("recipe") = Field(default_factory=lambda: dict(RECIPE))  # type: ignore[valid-type]
    augmentation: component("augmentation") = Field(default_factory=lambda: {"name": "none"})  # type: ignore[valid-type]

    @field_validator("recipe")
    @classmethod
    def _decoder_only(cls, value: Any) -> Any:
        if not value.trains:
            raise ValueError("recipe none trains nothing, so no decoder can learn to reconstruct; choose another recipe")
        if value.trainable not in ("all", "decoder"):
            raise ValueError(f"recipe.trainable is {value.trainable}, and this stage trains the decoder only; leave it out")
        return value.model_copy(update={"trainable": "decoder"})


class Kind(StageKind):
    order = 60
    epochs = True

    def plan(self, graph: Graph) -> None:
        """Raises ValueError if the devices of the training cannot share a batch of this one."""
        for settings, _ in self.asked(graph):
            decoding(graph.training, settings).check_devices()
        super().plan(graph)

    def result(self, stage: Finished) -> Mapping[str, Any]:
        """The validation error; without validation images nothing."""
        found = stage.facts.get("validation_loss")
        return {} if found is None else {"squared_error": {"value": found}}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        """Excludes the weights, which stay in the ledger."""
        return {"history.json": (self.name, *stage.label.titles, "history.json")}

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        return ("history.json",)


def decoding(training: Training, settings: DecodeConfig) -> Training:
    """The training of the decoder: that of the network with another recipe, and without a loss that needs pairs."""
    return training.model_copy(
        update={
            "recipe": settings.recipe,
            "reconstruction": Reconstruction(decoder=settings.decoder),
            "augmentation": settings.augmentation,
            "batches": resolve("batches", "shuffled"),
        }
    )


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes the files of ``grid.stages.train``; ``model.safetensors`` holds the network and the decoder."""
    from grid.stages.train import trained

    chosen = context.inputs["train"].facts
    result = trained(decoding(searched(config["training"], chosen), config["settings"]), context, frozen)
    return Result({**result.facts, "head": chosen["head"]}, result.outputs) if "head" in chosen else result


def frozen(context: Context, training: Training, classes: int | Mapping[str, int]) -> Any:
    """The trained network with a new decoder, whose weights come from torch's global generator."""
    from safetensors.torch import load_file

    from grid.stages.train import new_network

    network = new_network(training, classes)
    found = load_file(context.ledger.path(context.inputs["train"], "model.safetensors"))
    kept = {name: value for name, value in found.items() if not name.startswith("decoder.")}
    lost = network.load_state_dict(kept, strict=False)
    assert not lost.unexpected_keys, lost.unexpected_keys
    assert all(name.startswith("decoder.") for name in lost.missing_keys), lost.missing_keys
    return network

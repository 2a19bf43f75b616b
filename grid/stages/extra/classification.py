"""Closed-set classification of held-out images of the training subjects, as in Table 1 of DeepFace (Taigman et al., CVPR 2014).

The images are those that ``split`` holds out. They do not depend on ``split.share`` and, subject by subject, not on the number
of subjects, so cells that differ in these are evaluated on the same images. If the recipe selects the best epoch on them, the
error is a little optimistic; ``recipe.select: last`` avoids this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from configs.component import digest
from configs.staging import StageConfig
from grid.spec.measure import Measure
from grid.spec.stage_kind import RESULT, StageKind
from grid.spec.stage_name import StageName
from grid.spec.training import Training
from grid.stages.context import FAST_PAIRS, Context, Result, faces_of, write_json
from grid.stages.labels import labels_of, rows_of

if TYPE_CHECKING:
    from torch import Tensor


class ClassificationConfig(StageConfig):
    """``top``: an image also counts as recognized if its subject is among that many highest logits."""

    name: Literal["classification"] = "classification"
    top: int = Field(default=5, ge=2)


class Kind(StageKind):
    divisible = True

    def heading(self, label: StageName) -> str:
        return label.about or "held-out images"

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        keys = dict.fromkeys(key for one in found for key in one if key.startswith("error_top_"))
        return [
            Measure("error", "Classification error", lower_is_better=True),
            *(
                Measure(key, f"Error, top {key.removeprefix('error_top_')}", lower_is_better=True, headline=False)
                for key in keys
            ),
            Measure("zeros", "Zeros in the embedding", headline=False),
        ]


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``result.json``: the errors, and the share of exact zeros in the embeddings (DeepFace reports 75 % for F7)."""
    from grid.stages.shared_inference import shared_inference
    from grid.stages.train import load_network
    from modules.metrics.closed_set_error import missed, share_by_subject

    training: Training = config["training"]
    settings: ClassificationConfig = config["settings"]
    _check(training)
    faces = faces_of(context, training.data, training.detector, training.input.pixels)
    labels = labels_of(faces.manifest, training)
    _, held = rows_of(faces, training)
    held = held[:FAST_PAIRS] if context.fast else held
    if not len(held):
        raise ValueError("no image is held out, so there is nothing to classify; raise split.fraction")
    network = load_network(context, training, context.inputs["train"].facts["classes"])

    def classified(images: Tensor) -> dict[str, Tensor]:
        embeddings = network.embed(images)
        return {"logits": network.loss.logits(embeddings).float(), "zeros": (embeddings == 0).sum(1)}

    found = shared_inference(classified, faces.crops.take, held, context)
    if context.helper is not None:
        return Result({}, ())
    zeros, numbers = int(found["zeros"].sum()), len(held) * network.dimension
    scores, own = found["logits"].numpy(), labels.primary[held]
    top = min(settings.top, scores.shape[1] - 1)
    result: dict[str, Any] = {
        "error": share_by_subject(missed(scores, own), own),
        f"error_top_{top}": share_by_subject(missed(scores, own, top), own),
        "zeros": {"value": zeros / numbers, "n": numbers},
    }
    write_json(context.attempt.path / RESULT, result)
    facts = {"images": len(held), "subjects": len(set(own.tolist())), "classes": scores.shape[1]}
    facts |= {"images_digest": digest([faces.manifest.keys[row] for row in held])[:16], "error": result["error"]["value"]}
    return Result(facts, (RESULT,))


def _check(training: Training) -> None:
    """Raises ValueError if the network has no class for the held-out images."""
    why = None
    if training.targets:
        why = "the training has targets of its own"
    elif not training.classifies or not training.loss.classifies:
        why = "the training has no classifier" if not training.recipe.trains else f"loss {training.loss.name} has no classes"
    elif training.split.by != "images":
        why = "split.by: identities holds out subjects without a class; use split.by: images"
    if why:
        raise ValueError(f"stage classification classifies held-out images of training subjects: {why}")

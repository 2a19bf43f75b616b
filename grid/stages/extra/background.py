"""Does the background affect the predictions, and which features show it? (Debreczeni et al., Section IV)

Each held-out image is shown whole, without its background, and as background alone. The first comparison gives the change in
the confidence in the true class. The second one chooses the features (channels of the feature map, averaged over locations)
that show the background, on one stratum of the images. They are checked, and set to zero before the head, on the other one: the
paper's mask, chosen on images of mostly young women, did not carry over to others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from configs.staging import StageConfig
from grid.spec.measure import DIFFERENCE, NOT_NEGATIVE, Measure, keys_in
from grid.spec.stage_kind import RESULT, Graph, StageKind
from grid.spec.training import Training
from grid.stages.context import Context, Result, write_json

ABOUT = "background.json"
CHANGES = {
    "rises": ("confidence rises without background", True),
    "mean_rise": ("mean rise", True),
    "mean_fall": ("mean fall", True),
    "flips": ("predictions that change", True),
}


class BackgroundConfig(StageConfig):
    """Fields:
    face: where the face is: ``mask``, known to the dataset (drawn faces); ``landmarks``, an ellipse around the detector's
        landmarks; ``ellipse``, the same in all crops; None: the first of these that is available
    ellipse: center x and y, half width and half height, as fractions of the crop's sides
    fill: color in place of the face or the background
    most: largest number of studied images
    images: number of images in the picture
    stratum: column of the dataset; None: two halves of the subjects
    choose: class of that column on whose images features are chosen; they are tested on all others
    tau, quantile, permutations: see ``modules.latent.background_features``
    random_masks: number of random masks of the same size, for comparison
    resamples, seed: of the bootstrap; of all random numbers
    """

    name: Literal["background"] = "background"
    face: Literal["mask", "landmarks", "ellipse"] | None = None
    ellipse: tuple[float, float, float, float] = (0.5, 0.5, 0.4, 0.5)
    fill: Literal["gray", "black", "mean"] = "gray"
    most: int = Field(default=1000, ge=8)
    images: int = Field(default=8, ge=1)
    stratum: str | None = None
    choose: str | None = None
    tau: float = Field(default=0.5, gt=0)
    quantile: float = Field(default=0.8, gt=0, le=1)
    permutations: int = Field(default=199, ge=19)
    random_masks: int = Field(default=20, ge=1)
    resamples: int = Field(default=1000, ge=100)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _both_or_none(self) -> BackgroundConfig:
        if (self.stratum is None) != (self.choose is None):
            raise ValueError("stratum names a column and choose one of its classes; give both or none")
        if min(self.ellipse[2:]) <= 0:
            raise ValueError(f"ellipse: half width and half height are positive; found {self.ellipse[2]} and {self.ellipse[3]}")
        return self


class Kind(StageKind):
    order = 80
    configs: ClassVar = {"training": Training, "settings": "stage"}

    def plan(self, graph: Graph) -> None:
        for settings, label in self.asked(graph):
            identity: dict[str, Any] = {"train": graph.train.id, "settings": settings.identity()}
            if settings.stratum is not None:
                known = graph.facts.labels(graph.cell.data)
                if settings.stratum not in known:
                    raise ValueError(
                        f"stage {settings.title}: stratum {settings.stratum!r} is no column of dataset {graph.cell.data.name} "
                        f"(known: {', '.join(known) or 'none'})"
                    )
                identity["labels"] = known[settings.stratum]
            config = {"training": graph.training, "settings": settings}
            graph.add(label, identity, config, [graph.train, *graph.detected])

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        about = [
            Measure(f"{key}:{name}", f"{name}: {title}", percent=percent)
            for key, (title, percent) in CHANGES.items()
            for name in keys_in(found, key)
        ]
        about += [Measure(f"background_alone:{name}", f"{name}: accuracy on background alone", headline=False)
                  for name in keys_in(found, "background_alone")]  # fmt: skip
        about += [
            Measure("features:chosen", "Background features", percent=False, digits=0, range=NOT_NEGATIVE),
            Measure(
                "features:null",
                "Background features, exchanged",
                percent=False,
                digits=2,
                headline=False,
                range=NOT_NEGATIVE,
            ),
            Measure("features:confirmed", "Of these on the other stratum", headline=False),
        ]
        for key, title in (("masked", "with the mask"), ("randomly_masked", "with random masks")):
            about += [
                Measure(f"{key}:{name}", f"{name}: change of accuracy {title}", headline=False, percent=True, range=DIFFERENCE)
                for name in keys_in(found, key)
            ]
        return about


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``background.png``, ``background.json`` and ``result.json``."""
    from grid.stages.background_numbers import BackgroundStudy

    study = BackgroundStudy.of(context, config["training"], config["settings"])
    found = study.result()
    path = context.attempt.path
    (path / "background.png").write_bytes(study.picture())
    write_json(path / ABOUT, study.about)
    write_json(path / RESULT, found)
    facts = {"images": len(study.rows), "face": study.source, "features": found["features"]["chosen"]["value"]}
    return Result(facts, ("background.png", ABOUT, RESULT))

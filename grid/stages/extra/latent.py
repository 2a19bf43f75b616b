"""The latent space of a trained network, seen through a decoder (Debreczeni et al., Section IV).

Held-out images are encoded and decoded: a gallery of reconstructions with PSNR and SSIM; the straight and the spherical path
between the codes of two faces; single channels moved up and down; maps of all images in two dimensions; and linear probes that
say which attribute the vectors, and each single dimension of them, carry.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from configs.component import Outside
from configs.lookup import nearest
from configs.staging import StageConfig
from grid.spec.finished import Finished
from grid.spec.measure import DIFFERENCE, NOT_NEGATIVE, SHARE, Measure, keys_in
from grid.spec.stage_kind import RESULT, Graph, Stage, StageKind
from grid.spec.training import Training
from grid.stages.context import Context, Result, write_json
from grid.stages.extra.decode import DecodeConfig, decoding

ABOUT = "latent.json"


class LatentConfig(StageConfig):
    """Fields:
    decoder: title of the ``decode`` stage whose decoder is used; None: the only one, or else the decoder of the training
    images: faces in the gallery; the first two, the next two and so on are the ends of interpolations
    pairs: number of interpolations
    steps: images of an interpolation and of a traversal in the pictures
    frames: images of an interpolation in the animation
    vectors: what is probed and mapped: ``pooled``, the mean of the feature map over all locations, or the ``embedding``
    channels: of the code to traverse; empty: for each attribute the channel that carries most of it
    reach: farthest step of a traversal, in standard deviations of the channel over the studied images
    attributes: columns of the dataset to probe; empty: all
    most: largest number of studied images
    folds, strength, permutations: of the probes, see ``modules.latent.linear_probes``
    dimension_permutations: size of the null distribution for single dimensions
    resamples, perplexity, seed: of the bootstrap; of t-SNE; of all random numbers
    """

    name: Literal["latent"] = "latent"
    decoder: Annotated[str | None, Outside("which decoder; the id of its training counts instead")] = None
    images: int = Field(default=8, ge=2)
    pairs: int = Field(default=2, ge=1)
    steps: int = Field(default=9, ge=3)
    frames: int = Field(default=24, ge=3)
    vectors: Literal["pooled", "embedding"] = "pooled"
    channels: tuple[int, ...] = ()
    reach: float = Field(default=3.0, gt=0)
    attributes: tuple[str, ...] = ()
    most: int = Field(default=1000, ge=4)
    folds: int = Field(default=5, ge=2)
    strength: float = Field(default=100.0, gt=0)  # vectors are standardized, and often longer than there are images
    permutations: int = Field(default=19, ge=0)
    dimension_permutations: int = Field(default=199, ge=1)
    resamples: int = Field(default=1000, ge=100)
    perplexity: float = Field(default=30.0, gt=1)
    seed: int = Field(default=0, ge=0)


class Kind(StageKind):
    order = 70
    configs: ClassVar = {"training": Training, "settings": "stage", "decoding": "stage"}

    def plan(self, graph: Graph) -> None:
        for settings, label in self.asked(graph):
            decode = decoder_stage(graph, settings)
            labels = chosen_labels(graph, settings)
            config = {"training": graph.training, "settings": settings}
            identity = {"train": graph.train.id, "settings": settings.identity(), "labels": labels}
            if decode is not None:
                identity["decode"] = decode.id
                config["decoding"] = decode.config["settings"]
            graph.add(label, identity, config, [graph.train, decode, *graph.detected])

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        about = [
            Measure("psnr", "PSNR, dB", percent=False, digits=2, range=NOT_NEGATIVE),
            Measure("psnr_mean_face", "PSNR of the mean face, dB", percent=False, digits=2, headline=False, range=NOT_NEGATIVE),
            Measure("ssim", "SSIM", percent=False, digits=3, range=DIFFERENCE),
            Measure("ssim_mean_face", "SSIM of the mean face", percent=False, digits=3, headline=False, range=DIFFERENCE),
        ]
        for name in keys_in(found, "probe"):
            kinds = {one["probe"][name].get("measure") for one in found if name in one.get("probe", {})}
            measure, ends = ("R²", (-math.inf, 1.0)) if kinds == {"r2"} else ("balanced accuracy", SHARE)
            about.append(Measure(f"probe:{name}", f"Probe of {name}, {measure}", percent=False, digits=3, range=ends))
            null = f"Probe of permuted {name}"
            about.append(Measure(f"probe_null:{name}", null, percent=False, digits=3, headline=False, range=ends))
        for name in keys_in(found, "dimensions"):
            about.append(
                Measure(
                    f"dimensions:{name}",
                    f"Dimensions that carry {name}",
                    percent=False,
                    digits=0,
                    headline=False,
                    range=NOT_NEGATIVE,
                )
            )
        return about

    def pictures(self, stage: Finished, faces: bool) -> Sequence[str]:
        """The maps show no faces."""
        return super().pictures(stage, faces) if faces else tuple(name for name in stage.outputs if name == "maps.png")


def decoder_stage(graph: Graph, settings: LatentConfig) -> Stage | None:
    """The ``decode`` stage of a study; None: the decoder of the training.

    Raises:
        ValueError: there is no decoder, or it is unclear which one is meant.
    """
    known = {stage.label.about or "decode": stage for stage in graph.of("decode")}
    if settings.decoder is not None:
        if settings.decoder not in known:
            raise ValueError(
                f"stage {settings.title}: decoder {settings.decoder!r} is no decode stage{nearest(settings.decoder, known)}"
            )
        return known[settings.decoder]
    if len(known) > 1:
        raise ValueError(f"stage {settings.title}: there are decode stages {', '.join(known)}; name one as decoder")
    if not known and graph.cell.reconstruction is None:
        raise ValueError(
            f"stage {settings.title}: the cell has no decoder; list {{name: decode}} under stages, which trains one on the "
            "finished network, or set reconstruction in the base, which trains it with the network"
        )
    return next(iter(known.values()), None)


def chosen_labels(graph: Graph, settings: Any) -> dict[str, str]:
    """The digest of each studied attribute, by name.

    Raises:
        ValueError: the dataset has no such column.
    """
    known = graph.facts.labels(graph.cell.data)
    for name in settings.attributes:
        if name not in known:
            raise ValueError(
                f"stage {settings.title}: {name!r} is no column of dataset {graph.cell.data.name}{nearest(name, known)}"
            )
    return {name: digest for name, digest in known.items() if name in settings.attributes or not settings.attributes}


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes the pictures (PNG and GIF), ``points.csv``, ``dimensions.csv``, ``latent.json`` and ``result.json``."""
    from grid.stages import latent_figures, latent_numbers
    from grid.stages.latent_space import Encoder

    training, settings = config["training"], config["settings"]
    decoder: DecodeConfig | None = config.get("decoding")
    decoded = training if decoder is None else decoding(training, decoder)
    encoder = Encoder.of(context, training, decoded, "train" if decoder is None else "decode", settings.most)
    numbers = latent_numbers.measured(encoder, settings)
    shown = latent_figures.drawn(encoder, settings, numbers)
    path = context.attempt.path
    for name, data in shown.files.items():
        (path / name).write_bytes(data)
    with open(path / "dimensions.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("attribute", "dimension", "share", "p"), *numbers.dimensions])
    with open(path / "points.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(shown.points)
    about = {
        "vectors": settings.vectors,
        "held_out": encoder.studied.held_out,
        "images": len(encoder.studied.rows),
        "gallery": [encoder.faces.manifest.keys[row] for row in shown.gallery],
        "channels": list(shown.channels),
        "explained_variance": list(shown.explained),
        "probes": numbers.probes,
        "single_dimensions": numbers.singles,
    }
    write_json(path / ABOUT, about)
    write_json(path / RESULT, numbers.result)
    facts = {"images": len(encoder.studied.rows), **{key: round(numbers.result[key]["value"], 3) for key in ("psnr", "ssim")}}
    return Result(facts, (*shown.files, "dimensions.csv", "points.csv", ABOUT, RESULT))

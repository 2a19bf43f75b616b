"""Seconds per face on the CPU: detection, alignment and embedding of one image at a time, as a camera would deliver it.

DeepFace reports 0.33 s per face on a single core at 2.2 GHz (Taigman et al., CVPR 2014, Section 5.4). The result depends on the
processor, which is named beside it, and on what else runs there; it is part of no other stage's identity.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field

from configs.staging import StageConfig
from grid.processor import processor
from grid.spec.measure import NOT_NEGATIVE, Measure
from grid.spec.stage_kind import RESULT, StageKind
from grid.spec.stage_name import StageName
from grid.spec.training import Training
from grid.stages.context import Context, Result, detections_of, write_json

PARTS = ("detection", "cropping", "embedding", "total")
WARM_UP = 2  # images before the clock starts


class FaceTimeConfig(StageConfig):
    """``images`` of the training data are measured one by one with ``threads`` threads; the median is reported."""

    name: Literal["face_time"] = "face_time"
    images: int = Field(default=32, ge=3)
    threads: int = Field(default=1, ge=1)


class Kind(StageKind):
    def heading(self, label: StageName) -> str:
        return label.about or "seconds per face"

    def measures(self, found: Sequence[Mapping[str, Any]]) -> list[Measure]:
        on = dict.fromkeys(f"{one['threads']} thread{'s' if one['threads'] > 1 else ''}, {one['processor']}" for one in found)
        known = dict.fromkeys(part for one in found for part in PARTS if part in one)
        return [
            Measure(
                part,
                f"{part.capitalize()} [s] ({'; '.join(on)})",
                False,
                4,
                lower_is_better=True,
                headline=part == "total",
                range=NOT_NEGATIVE,
            )
            for part in known
        ]


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``result.json``: the median seconds of each part, the processor and the number of threads."""
    import torch

    from datamodules.tensors import to_tensor
    from grid.stages.train import load_network

    training: Training = config["training"]
    settings: FaceTimeConfig = config["settings"]
    manifest = context.resolver.manifest(training.data)
    manifest = manifest.subset(range(min(settings.images + WARM_UP, len(manifest.keys))))
    dataset = training.data.build(manifest)
    detections = detections_of(context, training.data, dataset, training.detector)
    detector = training.detector.build("cpu")
    network = load_network(context, training, context.inputs["train"].facts["classes"]).to("cpu")
    images = [dataset.image(row) for row in range(len(manifest.keys))]
    cuts = [
        partial(detector.crop, image, detections.row(key), training.input.pixels)
        for image, key in zip(images, manifest.keys, strict=True)
    ]
    crops = [cut() for cut in cuts]
    parts: dict[str, list[float]] = {}
    with _threads(settings.threads), torch.inference_mode():
        if not training.detector.trivial:
            parts["detection"] = _timed([partial(detector.detect, [image]) for image in images])
        parts["cropping"] = _timed(cuts)
        parts["embedding"] = _timed([partial(lambda crop: network.embed(to_tensor(crop)[None]), crop) for crop in crops])
    parts["total"] = [sum(one) for one in zip(*parts.values(), strict=True)]
    result = {part: {"value": float(np.median(seconds)), "n": len(seconds)} for part, seconds in parts.items()}
    write_json(context.attempt.path / RESULT, {**result, "processor": processor(), "threads": settings.threads})
    return Result({"images": len(parts["total"]), "total": result["total"]["value"]}, (RESULT,))


def _timed(calls: Sequence[Callable[[], Any]]) -> list[float]:
    """Seconds of each call but the first ones."""
    found = []
    for number, call in enumerate(calls):
        start = time.perf_counter()
        call()
        if number >= WARM_UP:
            found.append(time.perf_counter() - start)
    if not found:
        raise ValueError(f"{len(calls)} images are too few to measure; {WARM_UP + 1} are needed")
    return found


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Sets the threads of torch and OpenCV, and resets them."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])

"""What a judgment adds to the report: thresholds for a wished false match rate, and the worst pairs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.data_interfaces import ProtocolConfig
from datamodules.contact_sheet import contact_sheet
from datamodules.geometry.cutting import cut
from grid.export.threshold import SCORES, scored_subjects
from grid.ledger.ledger import Marker
from grid.ledger.study import Study
from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.held_out_threshold import held_out_threshold

WORST = 8  # pairs of each kind
SIDE = 112  # pixels of a shown image


@dataclass(frozen=True)
class Threshold:
    """The operating point of a network under a protocol, or the reason why there is none."""

    model: str
    protocol: str
    found: dict[str, Any] | None
    reason: str = ""

    @property
    def words(self) -> str:
        if self.found is None:
            return f"{self.model}, {self.protocol}: no threshold: {self.reason}"
        fmr, tmr = self.found["fmr"], self.found["tmr"]
        return (
            f"{self.model}, {self.protocol}: threshold {self.found['threshold']:.4f} for a false match rate of "
            f"{self.found['wished']:g}; on other subjects it is {fmr['value']:.2g} [{fmr['low']:.2g}, {fmr['high']:.2g}], "
            f"true match rate {tmr['value']:.4f} [{tmr['low']:.4f}, {tmr['high']:.4f}]"
        )


def evaluations(study: Study) -> Iterator[tuple[str, ProtocolConfig, Marker]]:
    """(title of the cell, protocol, marker) of each finished evaluation of pairs."""
    for view in study.cells:
        if view.hidden or not view.config:
            continue
        for protocol in Cell.model_validate(view.config).protocols:
            marker = view.markers.get(StageName(EVALUATE, protocol.title))
            if marker is not None and SCORES in marker.outputs:
                yield view.title, protocol, marker


def thresholds(study: Study, fmr: float) -> list[Threshold]:
    """See ``held_out_threshold``; one for each network and protocol with pairs of images."""
    found = []
    for title, protocol, marker in evaluations(study):
        try:
            left, right, same, scores = scored_subjects(study.ledger, marker, protocol)
            found.append(Threshold(title, protocol.title, held_out_threshold(scores, same, left, right, fmr)))
        except ValueError as error:
            found.append(Threshold(title, protocol.title, None, str(error)))
    return found


def worst_pairs(study: Study) -> list[Path]:
    """Writes ``worst-N.png`` and ``worst_pairs.csv`` into the report: most similar impostor, least similar genuine pairs."""
    import cv2
    import pyarrow.parquet as pq

    folder = study.path / "report"
    rows: list[list[Any]] = []
    made: list[Path] = []
    for number, (title, protocol, marker) in enumerate(evaluations(study), 1):
        table = pq.read_table(study.ledger.path(marker, SCORES), columns=["left", "right", "same", "score"])
        same, scores = table["same"].to_numpy(zero_copy_only=False), table["score"].to_numpy()
        left, right = table["left"].to_pylist(), table["right"].to_pylist()
        order = np.argsort(scores, kind="stable")
        chosen = [*order[::-1][~same[order[::-1]]][:WORST].tolist(), *order[same[order]][:WORST].tolist()]
        rows += [
            [title, protocol.title, "genuine" if same[row] else "impostor", left[row], right[row], f"{scores[row]:.6f}"]
            for row in chosen
        ]
        resolver = InputResolver(study.ledger.store)
        data = resolver.dataset(protocol)
        manifest = resolver.manifest(data)
        place = {key: row for row, key in enumerate(manifest.keys)}
        keys = [key for row in chosen for key in (left[row], right[row])]
        images = data.build(manifest)
        shown = [images.image(place[key]) for key in keys]
        squares = [cut(image, (0, 0, image.shape[1], image.shape[0]), SIDE) for image in shown]
        labels = [f"{'same' if same[row] else 'other'} {scores[row]:.3f}" for row in chosen for _ in range(2)]
        sheet = contact_sheet(squares, 8, labels)
        made.append(folder / f"worst-{number}.png")
        cv2.imwrite(str(made[-1]), np.ascontiguousarray(sheet[..., ::-1]))
    path = folder / "worst_pairs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["model", "protocol", "kind", "left", "right", "score"], *rows])
    return [*made, path]

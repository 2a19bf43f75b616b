"""Pictures made by stages, such as those of a latent-space study, for the page: one section per stage, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grid.ledger.study import Study, finished
from grid.report.templates import data_url
from grid.results.rows import Row
from grid.spec.stage_kind import StageName, known_kind

BUDGET = 25_000_000  # maximum number of bytes of pictures inside the page


@dataclass(frozen=True)
class Picture:
    """A file name without its ending, with ", animated" after that of a GIF, and the image as a data URL."""

    name: str
    source: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of one stage: a list per cell; ``left_out`` counts those beyond the page's budget."""

    label: str
    cells: tuple[tuple[Row, tuple[Picture, ...]], ...]
    left_out: int


def galleries(study: Study, rows: Sequence[Row], budget: int = BUDGET) -> list[Gallery]:
    """The pictures of all stages whose kind has some, see ``StageKind.pictures``."""
    labels = dict.fromkeys(name for row in rows for name in row.cell.names if name in row.markers)
    found = []
    for label in labels:
        cells, left_out = [], 0
        for row in rows:
            pictures = []
            for name, data in _files(study, row, label):
                if len(data) > budget:
                    left_out += 1
                    continue
                budget -= len(data)
                title, _, kind = name.rpartition(".")
                pictures.append(Picture(title + (", animated" if kind == "gif" else ""), data_url(data, kind)))
            if pictures:
                cells.append((row, tuple(pictures)))
        if cells or left_out:
            found.append(Gallery(str(label), tuple(cells), left_out))
    return found


def _files(study: Study, row: Row, label: StageName) -> list[tuple[str, bytes]]:
    marker = row.markers.get(label)
    if marker is None:
        return []
    stage = finished(study.ledger, label, marker)
    return [(name, stage.path(name).read_bytes()) for name in known_kind(label.kind).pictures(stage, study.faces)]

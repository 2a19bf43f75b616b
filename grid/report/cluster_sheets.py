"""Contact sheets of clusterings: the largest clusters of a cell, a row of faces each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.parquet as pq

from grid.evaluation.cluster_faces import IMAGES, TABLE
from grid.ledger.ledger import Marker
from grid.ledger.study import Study
from grid.report.figures import CELLS, file_name
from grid.report.panel import IMPOSTOR, TILE, Band, Panel, panel_png
from grid.results.heatmap import Scale, tile
from grid.results.rows import Row

FRAME = 4  # pixels around a face that is not of its cluster's main subject


@dataclass(frozen=True)
class ClusterSheets:
    """``files``: PNG by file name, ``clusters-<levels>-<protocol>.png``. ``left_out``: the number of cells beyond ``CELLS``."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    left_out: int = 0


def cluster_sheets(study: Study, rows: Sequence[Row]) -> ClusterSheets:
    """The sheets of the first ``CELLS`` cells with a clustering; none without faces."""
    if not study.faces:
        return ClusterSheets()
    made: dict[str, bytes] = {}
    ready = [row for row in rows if any(IMAGES in marker.outputs for marker in row.markers.values())]
    for row in ready[:CELLS]:
        for label, marker in row.markers.items():
            if IMAGES in marker.outputs:
                levels = "-".join(row.cell.levels.values()) or "only"
                protocol = str(label).partition(":")[2]
                made[file_name("clusters", f"{levels}-{protocol}", made)] = panel_png(_panel(study, row, protocol, marker))
    return ClusterSheets(made, len(ready[CELLS:]))


def _panel(study: Study, row: Row, protocol: str, marker: Marker) -> Panel:
    faces = np.load(study.ledger.path(marker, IMAGES))
    table = pq.read_table(study.ledger.path(marker, TABLE)).to_pydict()
    clusters = np.array(table["cluster"])
    widest = int(np.bincount(clusters).max())
    bands = []
    for number in sorted(set(table["cluster"])):
        places = np.flatnonzero(clusters == number)
        tiles = np.stack([_tile(faces[place], table["main"][place]) for place in places])
        blank = np.full((widest - len(tiles), *tiles.shape[1:]), 255, np.uint8)
        images, subjects = table["images"][places[0]], table["subjects"][places[0]]
        said = f"{images} image{'s' if images > 1 else ''}\nof {subjects} subject{'s' if subjects > 1 else ''}"
        bands.append(Band(said, np.concatenate([tiles, blank])))
    caption = (
        f"{row.title}; average linkage, cut at the true number of subjects; the {len(bands)} largest clusters, each from its "
        "center outwards. A red frame: not of the subject with the most images in the cluster."
    )
    return Panel(f"{study.name}: largest clusters, protocol {protocol}", caption, (), tuple(bands))


def _tile(face: np.ndarray, main: bool) -> np.ndarray:
    found = tile(face, None, Scale(), TILE)
    if not main:
        for edge in (np.s_[:FRAME], np.s_[-FRAME:], np.s_[:, :FRAME], np.s_[:, -FRAME:]):
            found[edge] = IMPOSTOR
    return found

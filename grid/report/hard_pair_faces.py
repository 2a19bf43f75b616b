"""The faces of the hardest pairs, where the machine that writes the report has the dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from grid.analysis.observations import protocol_config, protocol_data
from grid.ledger.study import Study
from grid.report.hard_pairs import SHOWN, Board
from grid.report.templates import data_url
from grid.results.heatmap import jpeg
from grid.results.rows import Table
from grid.spec.stage_name import EVALUATE, StageName

SIDE = 80  # pixels


@dataclass(frozen=True)
class Faces:
    """Pictures for one board: image key -> JPEG as a ``data:`` URL; ``why`` there are none, empty if there are."""

    pictures: Mapping[str, str] = field(default_factory=dict)
    why: str = ""


def hard_pair_faces(study: Study, table: Table, boards: Sequence[Board]) -> dict[str, Faces]:
    """Protocol -> the pictures of the pairs that its board shows; none where faces are hidden."""
    if not study.faces:
        return {board.protocol: Faces(why="this report shows no faces") for board in boards}
    return {board.protocol: _faces(study, table, board) for board in boards}


def _faces(study: Study, table: Table, board: Board) -> Faces:
    label = StageName(EVALUATE, board.protocol)
    row = next(row for row in table.rows if label in row.markers)
    pairs = (*board.genuine[:SHOWN], *board.impostor[:SHOWN])
    try:
        data, manifest = protocol_data(study, protocol_config(row, board.protocol))
        place, images = {key: n for n, key in enumerate(manifest.keys)}, data.build(manifest)
        keys = dict.fromkeys(key for pair in pairs for key in (pair.left, pair.right))
        return Faces({key: data_url(jpeg(square(images.image(place[key]))), "jpeg") for key in keys})
    except (ValueError, KeyError, OSError) as error:
        return Faces(why=" ".join(str(error).split()) or type(error).__name__)


def square(image: np.ndarray) -> np.ndarray:
    """The largest square in the middle of an image (h, w, 3), in ``SIDE`` pixels."""
    from datamodules.geometry.cutting import cut

    height, width = image.shape[:2]
    side = min(height, width)
    x, y = (width - side) // 2, (height - side) // 2
    return cut(image, (x, y, x + side, y + side), SIDE)

"""The pairs that a network confuses most: the most similar impostor pairs and the least similar genuine ones, as pictures.

They come from the scores of a finished evaluation. At any threshold, the first false accepts and the last false rejects are
among them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import ProtocolConfig
from configs.staging import StageConfig
from grid.spec.finished import Finished
from grid.spec.stage_name import EVALUATE
from grid.stages.context import Context, Result
from grid.stages.pair_protocol import PairsKind

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "pairs.csv"
PICTURES = {"impostor": "most_similar_impostor_pairs.png", "genuine": "least_similar_genuine_pairs.png"}
SIDE = 112  # pixels of a shown image
COLUMNS = 8  # images in a row


class WorstPairsConfig(StageConfig):
    """Fields:
    protocol: title of a protocol with pairs of images; None: the first one
    count: of pairs of each kind
    """

    name: Literal["worst_pairs"] = "worst_pairs"
    protocol: str | None = None
    count: int = Field(default=8, ge=1, le=100)


class Kind(PairsKind):
    def pictures(self, stage: Finished, faces: bool) -> Sequence[str]:
        return tuple(PICTURES.values()) if faces else ()


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``pairs.csv`` and a picture of each kind of pairs."""
    import cv2
    import pyarrow.parquet as pq

    settings: WorstPairsConfig = config["settings"]
    protocol: ProtocolConfig = config["protocol"]
    table = pq.read_table(context.ledger.path(context.inputs[EVALUATE], "scores.parquet"))
    data = context.resolver.dataset(protocol)
    manifest = context.resolver.manifest(data)
    place = {key: row for row, key in enumerate(manifest.keys)}
    images = data.build(manifest)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "left", "right", "score"])
    for kind, name in PICTURES.items():
        pairs = worst(table, kind == "genuine", settings.count)
        writer.writerows([kind, left, right, f"{score:.6f}"] for left, right, score in pairs)
        shown = [images.image(place[key]) for left, right, _ in pairs for key in (left, right)]
        labels = [f"{kind} {score:.3f}" for *_, score in pairs for _ in range(2)]
        sheet = np.ascontiguousarray(_sheet(shown, labels)[..., ::-1])
        (context.attempt.path / name).write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
    (context.attempt.path / TABLE).write_text(out.getvalue(), encoding="utf-8")
    return Result({}, (TABLE, *PICTURES.values()))


def worst(table: pa.Table, genuine: bool, count: int) -> list[tuple[str, str, float]]:
    """(left, right, score) of the least similar genuine or the most similar impostor pairs, worst first; ties in list order.

    Args:
        table: ``scores.parquet`` of an evaluation
    """
    score = table["score"].to_numpy()
    rows = np.flatnonzero(table["same"].to_numpy(zero_copy_only=False) == genuine)
    order = rows[np.argsort(score[rows] if genuine else -score[rows], kind="stable")][:count]
    left, right = (table[side].take(order).to_pylist() for side in ("left", "right"))
    return list(zip(left, right, score[order].tolist(), strict=True))


def _sheet(images: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:
    from datamodules.contact_sheet import contact_sheet
    from datamodules.geometry.cutting import cut

    squares = [cut(image, (0, 0, image.shape[1], image.shape[0]), SIDE) for image in images]
    return contact_sheet(squares, COLUMNS, labels)

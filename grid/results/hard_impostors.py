"""Mines look-alike impostor pairs with a network of a finished study: the input file of the protocol ``lookalike``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.evaluation_sets.lookalike_lists import write_lookalikes
from datamodules.evaluation_sets.lookalikes import folds_of, mine
from datamodules.list_readers.lfw import read_list
from grid.ledger.study import Study
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import EVALUATE, TRAIN, StageName

PAIRS = 300  # impostor pairs in each fold of View 2


def mine_hard_impostors(study: Study, where: Mapping[str, Sequence[str]], protocol: str, lfw: Path, to: Path) -> dict[str, Any]:
    """Writes the file from the embeddings stored by a clustering protocol on LFW in one cell.

    Args:
        where: selects the cell; its network must then not be evaluated on these pairs
        protocol: the title of the clustering protocol; pairs are chosen from its images
        lfw: the folder with ``pairs.txt``
        to: the output file

    Raises:
        BadInput: not exactly one cell, no such protocol, or too few images in a fold.
    """
    import pyarrow.parquet as pq

    cell = study.only(where, "mine takes")
    marker = cell.markers.get(StageName(EVALUATE, protocol))
    if marker is None or "embeddings.npy" not in marker.outputs:
        titles = ", ".join(
            name.about for name in cell.names if name in cell.markers and "embeddings.npy" in cell.markers[name].outputs
        )
        raise BadInput(
            f"{cell.title}: no finished clustering protocol {protocol!r} (there: {titles or 'none'}); "
            "one such is {name: clustering, data: {name: lfw, root: ...}}"
        )
    keys = pq.read_table(study.ledger.path(marker, "clusters.parquet"), columns=["key"])["key"].to_pylist()
    embeddings = np.load(study.ledger.path(marker, "embeddings.npy"), allow_pickle=False)
    try:
        folds = folds_of(read_list(lfw, "view2"))
        found = mine(embeddings, [key.split("/")[0] for key in keys], folds, PAIRS)
    except ValueError as error:
        raise BadInput(str(error)) from error
    miner = cell.markers[TRAIN].facts["network"]
    write_lookalikes(to, found, keys, miner)
    return {"file": str(to), "pairs": len(found), "miner": miner, "lowest cosine": float(found.score.min())}

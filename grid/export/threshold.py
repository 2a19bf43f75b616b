"""The threshold that an export carries: from the scores of a protocol of the study."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.data_interfaces import ProtocolConfig
from grid.ledger.ledger import Damaged, Ledger, Marker
from grid.plan.inputs import Blocked, InputResolver
from grid.results.model_loader import Trained
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.held_out_threshold import held_out_threshold

SCORES = "scores.parquet"


def threshold_of(trained: Trained, fmr: float, protocol: str | None) -> dict[str, Any]:
    """See ``held_out_threshold``, with ``protocol`` and ``flip_test``.

    Without a protocol that has pairs, a ``reason`` instead.

    Args:
        fmr: the wished false match rate
        protocol: its title; None: the first finished one with pairs of images and without corner crops

    Raises:
        BadInput: no such protocol, its images are absent, or its pairs cannot show that rate.
    """
    if trained.cell is None or trained.view is None:
        return {"threshold": None, "reason": "no study is known", "flip_test": False}
    markers = trained.view.markers
    fits = {
        one.title: (one, markers[name])
        for one in trained.cell.protocols
        if one.task == "verification" and one.multi_crop is None and (name := StageName(EVALUATE, one.title)) in markers
    }
    if protocol is not None and protocol not in fits:
        titles = ", ".join(fits) or "none"
        raise BadInput(f"--protocol {protocol!r}: no finished protocol of that title with pairs of images (known: {titles})")
    if not fits:
        return {"threshold": None, "reason": "the study evaluated no pairs of images", "flip_test": False}
    chosen, marker = fits[protocol or next(iter(fits))]
    try:
        left, right, same, scores = scored_subjects(trained.ledger, marker, chosen)
        found = held_out_threshold(scores, same, left, right, fmr)
    except (ValueError, Blocked, Damaged) as error:
        raise BadInput(f"protocol {chosen.title}: {error}") from error
    return {**found, "protocol": chosen.title, "flip_test": chosen.flip_test}


def scored_subjects(
    ledger: Ledger, marker: Marker, protocol: ProtocolConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(subjects of the left and the right images, whether they are the same, scores) of an evaluation of pairs."""
    import pyarrow.parquet as pq

    table = pq.read_table(ledger.path(marker, SCORES), columns=["left", "right", "same", "score"])
    resolver = InputResolver(ledger.store)
    manifest = resolver.manifest(resolver.dataset(protocol))
    who = dict(zip(manifest.keys, manifest.identities, strict=True))
    sides = [np.array([who[key] for key in table[side].to_pylist()]) for side in ("left", "right")]
    return sides[0], sides[1], table["same"].to_numpy(zero_copy_only=False), table["score"].to_numpy()

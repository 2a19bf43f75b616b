"""Evaluation: embeddings of a protocol's images, cosine scores of its pairs, and the numbers made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datamodules.crops import CropTable
from datamodules.faces import to_tensor
from grid.stages.context import FAST_PAIRS, Context, Result, faces_of
from grid.stages.train import load_network
from grid.training import Training
from modules.metrics.verification import verification
from modules.network import Network

BATCH = 64  # images at a time; a constant, because a batch's size can move a last bit


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``scores.parquet`` and ``metrics.json``. A pair whose face was dropped by policy is left out and counted."""
    training: Training = config["training"]
    protocol = config["protocol"]
    data = context.world.dataset(protocol)
    manifest = context.world.manifest(data)
    pairs = context.world.kept_pairs(protocol, training)
    index = np.arange(len(pairs.left))
    if context.fast:
        every = [np.flatnonzero(pairs.same == same) for same in (True, False)]  # spread over all folds
        index = np.concatenate([rows[:: max(1, len(rows) // (FAST_PAIRS // 2))] for rows in every])
    used = np.unique(np.concatenate([pairs.left[index], pairs.right[index]]))
    faces = faces_of(context, data, training.detector, training.input.pixels, rows=used.tolist())
    kept = np.zeros(len(manifest.keys), dtype=bool)
    kept[used[faces.crops.kept]] = True
    whole = index[kept[pairs.left[index]] & kept[pairs.right[index]]]
    network = load_network(context, training, context.inputs["train"].facts["classes"])
    with torch.inference_mode():
        embeddings = embed(network, faces.crops, protocol.flip_test, context)
    place = np.searchsorted(used, np.arange(len(manifest.keys)))
    left, right = embeddings[place[pairs.left[whole]]], embeddings[place[pairs.right[whole]]]
    scores = np.einsum("nd,nd->n", left, right).astype(np.float64)
    same, fold = pairs.same[whole], pairs.fold[whole]
    metrics = verification(scores, same, fold)
    columns = {
        "left": [manifest.keys[row] for row in pairs.left[whole]],
        "right": [manifest.keys[row] for row in pairs.right[whole]],
        "same": same,
        "fold": fold,
        "score": scores,
    }
    path = context.attempt.path
    pq.write_table(pa.table(columns), path / "scores.parquet")
    (path / "metrics.json").write_text(json.dumps(metrics, indent=1))
    facts = {key: metrics[key]["value"] for key in ("oracle", "tenfold", "eer", "auc")}
    facts |= {"tenfold_se": metrics["tenfold"]["se"], "pairs": len(whole), "dropped_pairs": len(index) - len(whole)}
    return Result(facts, ("scores.parquet", "metrics.json"))


def embed(network: Network, crops: CropTable, flip_test: bool, context: Context) -> np.ndarray:
    """(N, D) float64 rows of unit length; with the flip test, of the sum of the image's and its mirror image's embedding."""
    found = []
    for start in range(0, len(crops), BATCH):
        rows = range(start, min(start + BATCH, len(crops)))
        images = torch.stack([to_tensor(crops[row]) for row in rows]).to(context.device)
        embedding = network.embed(images)
        if flip_test:
            embedding = embedding + network.embed(images.flip(3))
        found.append(embedding.double().cpu().numpy())
        context.report({"done": rows.stop, "total": len(crops), "unit": "images"})
    embeddings = np.concatenate(found)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    if not np.isfinite(norms).all() or (norms == 0).any():
        bad = int(np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))[0])
        raise ValueError(f"the embedding of image {bad} has no direction (norm {norms[bad, 0]}): the network did not train")
    return np.asarray(embeddings / norms)

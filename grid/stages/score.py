"""A score: how good the maps of an explanation are, from its files and the network they were computed with."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from configs.explainers import ScoreConfig
from datamodules.tensors import tensors
from grid.ledger.ledger import Marker
from grid.spec.training import Training
from grid.stages.context import Context, Result
from grid.stages.explain import reference_of, target_of
from grid.stages.probes import pair_regions
from grid.stages.train import load_network
from modules.attribution import returned
from modules.attribution.explainer import Refused
from modules.attribution.explanation import Explained


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``score.json``: the score's result, or ``refused``, ``{code, reason}``."""
    score: ScoreConfig = config["score"]
    made = context.inputs["explain"]
    manifest = context.ledger.json(made, "manifest.json")
    about = {
        "score": score.name,
        "config": score.identity(),
        "method": manifest["method"],
        "explanation": manifest["config"],
        "difference_maps": sorted(config["explainer"].difference_maps),
    }
    started = time.perf_counter()
    found: dict[str, Any]
    try:
        found = returned.score(score, _explained(config, context, made, manifest))
    except Refused as refused:
        found = {"refused": {"code": refused.code, "reason": refused.reason}}
    seconds = round(time.perf_counter() - started, 3)
    (context.attempt.path / "score.json").write_text(
        json.dumps({**about, **found}, indent=1, allow_nan=False), encoding="utf-8"
    )
    return Result({**_facts(found), "seconds": seconds}, ("score.json",))


def _explained(config: Mapping[str, Any], context: Context, made: Marker, manifest: Mapping[str, Any]) -> Explained:
    """The explanation, read from its files.

    Raises:
        Refused: ``no_maps``: the method refused; ``no_map_of_the_image``: it generates an image instead.
    """
    training: Training = config["training"]
    explainer = config["explainer"]
    protocol = config.get("protocol")
    if refused := manifest.get("refused"):
        raise Refused("no_maps", f"{explainer.name} was refused ({refused['code']}): {refused['reason']}")
    if "generated.npy" in made.outputs:
        raise Refused("no_map_of_the_image", f"{explainer.name} makes an image of its own, and no map of the image")
    network = load_network(context, training, context.inputs["train"].facts["classes"])
    images = tensors(_array(context, made, "images.npy"), context.device)
    rows = manifest["images"]

    def regions(common: bool) -> np.ndarray | None:
        return pair_regions(context, training, protocol, [row["key"] for row in rows], common) if protocol else None

    same = labels = None
    if protocol is None:
        labels = np.array([row["class"] for row in rows], np.int64)
    else:
        same = np.array([row["same"] for row in rows[0::2]], bool)
    return Explained(
        network=network,
        explainer=explainer,
        images=images,
        size=training.input.pixels,
        maps={one["name"]: _array(context, made, one["file"]) for one in manifest["maps"]},
        signed=frozenset(one["name"] for one in manifest["maps"] if one["signed"]),
        target=None if explainer.of == "pair" else target_of(network, explainer, images, labels),
        labels=labels,
        same=same,
        missing=frozenset(one["pair"] for one in manifest["notes"].get("refused_pairs", ())) if protocol else frozenset(),
        find_reference=lambda: reference_of(context, training, protocol) if protocol else None,
        find_regions=lambda: regions(common=False),
        find_common_regions=lambda: regions(common=True),
    )


def _array(context: Context, made: Marker, name: str) -> np.ndarray:
    """An array of the explanation, after checking its digest."""
    return np.load(context.ledger.path(made, name), allow_pickle=False)


def _facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Counts, the numbers shown in tables, and warnings."""
    if refused := found.get("refused"):
        return {"refused": refused}
    shown = found.get("headlines", ())
    numbers = {
        f"{name} {key}".strip(): round(entry[key]["value"], 4)
        for name, entry in found["maps"].items()
        for key in shown
        if key in entry
    }
    flags = {name: given for name, given in found.get("flags", {}).items() if given}
    return {found["of"]: found["count"], "missing": found.get("missing") or None, **numbers, "flags": flags or None}

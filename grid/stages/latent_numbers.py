"""The numbers of a latent-space study: reconstruction quality, linear probes, single dimensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grid.stages.latent_space import Encoder
from modules.latent.image_quality import psnr, ssim
from modules.latent.linear_probes import probe
from modules.latent.single_dimensions import share_interval, shares
from modules.metrics import cluster_bootstrap

TOP = 3  # number of dimensions per attribute with an interval


@dataclass
class Numbers:
    """Attributes:
    result: entries for tables, see ``grid.spec.measure``
    probes: of each attribute, see ``modules.latent.linear_probes``; or why there is none
    singles: of each attribute: its strongest dimensions with intervals, how many carry it, and the threshold
    dimensions: rows (attribute, dimension, share, p), strongest first
    """

    result: dict[str, Any] = field(default_factory=dict)
    probes: dict[str, Any] = field(default_factory=dict)
    singles: dict[str, Any] = field(default_factory=dict)
    dimensions: list[tuple[str, int, float, float]] = field(default_factory=list)


def measured(encoder: Encoder, settings: Any) -> Numbers:
    """All numbers of the study."""
    found = Numbers(result=reconstruction(encoder, settings))
    vectors = encoder.vectors(settings.vectors)
    names = settings.attributes or tuple(encoder.columns)
    for name in names:
        _probe(found, encoder, settings, vectors, name)
    found.result["probe"] = {name: _entry(found.probes[name]) for name in names}
    found.result["probe_null"] = {
        name: {"value": one["null"]["mean"], "high": one["null"]["high"]} for name, one in found.probes.items() if "null" in one
    }
    found.result["dimensions"] = {name: {"value": one["carrying"]} for name, one in found.singles.items()}
    return found


def reconstruction(encoder: Encoder, settings: Any) -> dict[str, Any]:
    """PSNR and SSIM of the reconstructions and, for comparison, of the mean studied face in place of every one."""
    crops = encoder.crops(encoder.studied.rows)
    mean_face = np.broadcast_to(np.rint(crops.mean(0)).astype(np.uint8), crops.shape)
    found = {}
    for name, others in (("", encoder.reconstructions), ("_mean_face", mean_face)):
        for measure, values, most in (("psnr", psnr(crops, others), None), ("ssim", ssim(crops, others), 1.0)):
            finite = np.isfinite(values)  # PSNR is infinite for equal images
            if not finite.any():
                found[measure + name] = {"value": None, "reason": "every reconstruction equals its image"}
                continue
            found[measure + name] = cluster_bootstrap.mean(
                values[finite], encoder.subjects[finite], settings.resamples, settings.seed, most=most
            )
    return found


def _probe(found: Numbers, encoder: Encoder, settings: Any, vectors: np.ndarray, name: str) -> None:
    attribute, places = encoder.attribute(name)
    subjects = encoder.subjects[places]
    seen = vectors[places]
    try:
        found.probes[name] = probe(
            seen,
            attribute,
            subjects,
            folds=settings.folds,
            strength=settings.strength,
            permutations=settings.permutations,
            resamples=settings.resamples,
            seed=settings.seed,
        )
    except ValueError as error:  # too few subjects; the other attributes are still probed
        found.probes[name] = {"value": None, "reason": str(error)}
        return
    single = shares(seen, attribute, subjects, settings.dimension_permutations, settings.seed)
    order = np.argsort(-single.values, kind="stable")
    found.dimensions += [(name, int(one), float(single.values[one]), float(single.p[one])) for one in order]
    found.singles[name] = {
        "carrying": len(single.carrying),
        "of": seen.shape[1],
        "threshold": single.threshold,
        "strongest": [
            {
                "dimension": int(one),
                "p": float(single.p[one]),
                **share_interval(seen, attribute, subjects, int(one), settings.resamples, settings.seed),
            }
            for one in order[:TOP]
        ],
    }


def _entry(one: dict[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in ("value", "low", "high", "measure", "reason") if key in one}

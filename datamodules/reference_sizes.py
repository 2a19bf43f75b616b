"""Published numbers of images and subjects of known datasets, to detect incomplete copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.data_interfaces import DatasetConfig, Manifest

Counts = tuple[int, int | None]  # images; subjects, None if the set does not label them or its files count them differently

COUNTS: Mapping[tuple[str, str | None], Counts] = {
    ("lfw", None): (13_233, 5_749),
    ("vggface2", "train"): (3_141_890, 8_631),
    ("vggface2", "test"): (169_396, 500),
    ("casia", None): (494_414, 10_575),
    ("agedb", None): (16_488, None),
    ("cfp", None): (7_000, 500),
    ("fairface", "train"): (86_744, None),
    ("fairface", "val"): (10_954, None),
    ("fairface", "both"): (97_698, None),
    ("utkface", None): (23_705, None),  # 23,708 files, three of which have malformed names without a race
    ("ijb", "ijbb"): (227_630, None),
    ("ijb", "ijbc"): (469_375, None),
}
PARTS = ("split", "set")  # fields that select one of several sets
HARMLESS = {"name", "root", "names_file", *PARTS}  # fields that do not reduce the number of images; nor do policies (on_...)


def published(data: DatasetConfig) -> Counts | None:
    """The published counts of the set; None if they are unknown or the settings select a part of it."""
    fields = type(data).model_fields
    selects = [key for key in fields if key not in HARMLESS and not key.startswith("on_")]
    taken = [key for key in selects if getattr(data, key) != fields[key].get_default(call_default_factory=True)]
    part = next((getattr(data, key) for key in PARTS if key in fields), None)
    return None if taken else COUNTS.get((data.name, part))


def absent(data: DatasetConfig, manifest: Manifest) -> dict[str, str]:
    """Missing parts of the published set, as text, by ``images`` and ``subjects``; unreadable images are not missing."""
    counts = published(data)
    if counts is None:
        return {}
    found: dict[str, Any] = {
        "images": len(manifest.keys) + len(manifest.skipped),
        "subjects": len(set(manifest.identities)) if not manifest.skipped else None,  # a subject may have only bad images
    }
    wanted = dict(zip(found, counts, strict=True))
    return {
        what: f"only {found[what]:,} of the {many:,} that the set has"
        for what, many in wanted.items()
        if many is not None and found[what] is not None and found[what] < many
    }

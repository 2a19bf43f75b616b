"""Keys of params, metrics, tags and files that every MLflow server takes, different for different names.

Servers before 2.16 accept letters, digits, ``_ - . /`` and spaces only, and every server refuses keys that a file system would
read as another path. A name that has to be changed for that ends in a digest of the original, so two names never become one
key, whatever other names there are.
"""

from __future__ import annotations

import hashlib
import re

from grid.spec.stage_kind import StageName

KEY = 250  # characters that MLflow keeps of a key
FORBIDDEN = re.compile(r"[^\w.\- /]")


def safe(name: str) -> str:
    """A key; slashes stay, and group it on MLflow's pages."""
    parts = [part for part in FORBIDDEN.sub("_", name).split("/") if part not in ("", ".", "..")]
    return _distinct("/".join(parts), name, KEY)


def segment(name: str) -> str:
    """One segment of a key between slashes, or the name of one file."""
    clean = FORBIDDEN.sub("_", name).replace("/", "_").strip(" .")
    return _distinct(clean or "_", name, KEY // 3)


def file_segment(name: str) -> str:
    """The name of one file; its suffix stays, since MLflow shows files by it."""
    stem, dot, suffix = name.rpartition(".")
    return f"{segment(stem)}.{suffix}" if dot and suffix.isalnum() else segment(name)


def stage_key(label: StageName) -> str:
    """``evaluate/lfw view 1`` of an evaluation's label."""
    return "/".join(segment(one) for one in (label.kind, *label.titles))


def _distinct(clean: str, name: str, length: int) -> str:
    if clean and clean == name and len(name) <= length:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean[: length - 9]}-{mark}".lstrip("/")

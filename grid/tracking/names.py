"""Keys of params, metrics, tags and files that every MLflow server accepts, distinct for distinct names.

Servers before 2.16 accept only letters, digits, ``_ - . /`` and spaces, and every server rejects keys that a file system would
read as another path. A name that has to be changed gets a digest of the original appended, so distinct names never produce the
same key.
"""

from __future__ import annotations

import hashlib
import re

from grid.spec.stage_kind import StageName

KEY = 250  # maximum length of a key in MLflow, in characters
FORBIDDEN = re.compile(r"[^\w.\- /]")


def safe(name: str) -> str:
    """A valid key; slashes are kept, and group keys on MLflow's pages."""
    parts = [part for part in FORBIDDEN.sub("_", name).split("/") if part not in ("", ".", "..")]
    return _distinct("/".join(parts), name, KEY)


def segment(name: str) -> str:
    """One segment of a key between slashes, or a file name."""
    clean = FORBIDDEN.sub("_", name).replace("/", "_").strip(" .")
    return _distinct(clean or "_", name, KEY // 3)


def file_segment(name: str) -> str:
    """A file name; its suffix is kept, because MLflow chooses the viewer by it."""
    stem, dot, suffix = name.rpartition(".")
    return f"{segment(stem)}.{suffix}" if dot and suffix.isalnum() else segment(name)


def stage_key(label: StageName) -> str:
    """``evaluate/lfw view 1`` for an evaluation's label."""
    return "/".join(segment(one) for one in (label.kind, *label.titles))


def _distinct(clean: str, name: str, length: int) -> str:
    if clean and clean == name and len(name) <= length:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean[: length - 9]}-{mark}".lstrip("/")

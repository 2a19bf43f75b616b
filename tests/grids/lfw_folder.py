"""A folder like that of LFW: six images of three subjects."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def lfw_folder(root: Path, **lists: str) -> Path:
    """Writes the images and the lists, by name without suffix: ``pairs="..."``; returns ``root``."""
    for subject, count in (("Ada", 2), ("Bob", 3), ("Eve", 1)):
        (root / "images" / subject).mkdir(parents=True)
        for index in range(1, count + 1):
            Image.new("RGB", (8, 8)).save(root / "images" / subject / f"{subject}_{index:04d}.jpg")
    for name, text in lists.items():
        (root / f"{name}.txt").write_text(text)
    return root

"""``facegrid debug --fast`` of the first cell of a shipped small grid, with the shared data where a grid needs real faces."""

from __future__ import annotations

import json
from pathlib import Path

from launching import ROOT, here

GRIDS = ROOT / "configs/grids"
SMALL = sorted(file.stem for file in GRIDS.glob("*_small.yaml"))
WEIGHTS = "pretraining.path={shared}/weights/mobilefacenet_xiaoccer_068.ckpt"
REAL = {  # grid -> where its real faces and weights are; the others draw their faces
    "deepface_ensemble_small": ["data.root={shared}/data/lfw"],
    "fairface_small": ["data.root={shared}/data/utkface", "protocols.0.data.root={shared}/data/utkface"],
    "lfw_small": ["data.root={shared}/data/lfw"],
    "patched_small": ["data.root={shared}/data/lfw", WEIGHTS],
    "robustness_small": ["data.root={shared}/data/lfw/images", WEIGHTS],
}
DRAWN = [name for name in SMALL if name not in REAL]


def checked(name: str, folder: Path, shared: Path | None) -> tuple[list[str], str]:
    """Its first cell's stages, such as ``explain:gradcam``, and what ``debug --fast`` printed; it must have ended well.

    A stage that two names share, such as the detection of two protocols with the same images, is named once. A grid whose
    images were never read has no stages before.
    """
    words = [GRIDS / f"{name}.yaml", f"launch.study={folder / 'study'}"]
    words += [word.format(shared=shared) for word in REAL.get(name, ())]
    planned = json.loads(here(folder, "plan", *words, "--json"))["cells"]
    first = next(cell for cell in planned if cell["state"] != "skipped")
    where = ",".join(f"{axis}={level}" for axis, level in first["levels"].items())
    said = here(folder, "debug", *words, *(["--where", where] if where else []), "--fast")
    names = {id: label for label, id in reversed((first["stages"] or {}).items())}
    return list(names.values()), said

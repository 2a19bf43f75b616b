"""Writes the bundle of a human study: its design, its texts, and the files that participants load."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from configs.component import file_digest
from grid.human_study.answers import why_kept
from grid.human_study.design import ANSWERS, DESIGN, PUBLIC, TEXTS, Design, Inclusion, Pair
from grid.human_study.pair_maps import GroupMaps
from grid.human_study.texts import as_json, default_texts, write_texts
from grid.results.heatmap import colored, jpeg, overlaid, resized
from grid.spec.grid_file import BadInput

WEB = Path(__file__).parent / "web"
PAGES = ("index.html", "study.js", "study.css", "icon.svg", "jspsych/jspsych.js", "jspsych/LICENSE.txt", "jspsych/VERSION")
SIDES = ("left", "right")
SIDE = 320  # pixels of the longer side of an image
QUALITY = 92  # of JPEG


def check_target(to: Path) -> None:
    """Refuses a folder that holds something else, or a bundle that has participants, a running collector or edited texts.

    Raises:
        BadInput: see above.
    """
    if (to / ANSWERS).exists() and (why := why_kept(to / ANSWERS)):
        raise BadInput(f"{to}: {why}")
    if to.exists() and (not to.is_dir() or (any(to.iterdir()) and not (to / DESIGN).is_file())):
        raise BadInput(f"{to}: it exists and is no bundle; give another --to")
    if _edited(to):
        raise BadInput(f"{to / TEXTS}: it was edited, and a new bundle would replace it; move it away, or give another --to")


def _edited(bundle: Path) -> bool:
    """Whether the texts of a bundle differ from those that it was made with; False if there is no readable bundle."""
    try:
        design = Design.model_validate_json((bundle / DESIGN).read_bytes())
        found = (bundle / TEXTS).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return found != as_json(default_texts(design.name, len(design.pairs), design.groups))


def write_bundle(
    to: Path,
    about: Mapping[str, Any],
    rule: Mapping[str, Any],
    inclusion: Inclusion,
    pairs: Sequence[tuple[str, str, bool, float]],
    groups: Sequence[GroupMaps],
) -> Design:
    """Writes a bundle beside its place and moves it there when it is whole, so that a killed ``make`` can be repeated.

    Args:
        about: name, study, cell, protocol and checkpoint of the design
        pairs: left key, right key, genuine or not, score
        groups: their crops and maps, in the order of ``pairs``
    """
    check_target(to)
    to = to.absolute()
    partial = to.with_name(f".{to.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    public = partial / PUBLIC
    threshold = float(rule["threshold"])
    listed = [
        Pair(id=secrets.token_hex(8), left=left, right=right, same=same, score=score, accepted=score >= threshold)
        for left, right, same, score in pairs
    ]
    for name in PAGES:
        (public / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(WEB / name, public / name)
    for number, pair in enumerate(listed):
        for side, title in enumerate(SIDES):
            _write(public / f"faces/{pair.id}-{title}.jpg", resized(groups[0].crops[number, side], SIDE))
            for one in groups:
                picture = resized(one.crops[number, side], SIDE)
                drawn = overlaid(picture, one.maps[number, side], one.group.low, one.group.high)
                _write(public / f"maps/{one.group.letter}/{pair.id}-{title}.jpg", drawn)
    for one in groups:
        ramp = np.rint(colored(np.linspace(0, 1, 240)[None].repeat(14, 0), one.group.signed)).astype(np.uint8)
        _write(public / f"maps/{one.group.letter}/scale.jpg", ramp)
    files = sorted(file for file in public.rglob("*") if file.is_file())
    design = Design(
        **about,
        threshold=threshold,
        rule=dict(rule),
        inclusion=inclusion,
        groups=tuple(one.group for one in groups),
        pairs=tuple(listed),
        files={file.relative_to(public).as_posix(): file_digest(file) for file in files},
    )
    write_texts(partial, default_texts(design.name, len(listed), design.groups))
    (partial / DESIGN).write_text(design.model_dump_json(indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(to, ignore_errors=True)
    partial.rename(to)
    return design


def _write(file: Path, picture: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(jpeg(picture, QUALITY))

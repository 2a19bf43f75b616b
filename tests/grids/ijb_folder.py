"""A folder in IJB-B's or IJB-C's layout, made of drawn faces: loose crops, their landmarks, templates, pairs and searches."""

import csv
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from configs.lookup import resolve
from datamodules.geometry.fiducials import TEMPLATE

SUBJECTS, SHOTS, SIDE = 12, 7, 96
TEMPLATES = ((0, 1), (2, 3, 4), (5, 6))  # shots of each subject's templates: gallery, probe, probe
VIDEO = (3, 4)  # shots of one medium; every other one is a medium of its own


@dataclass(frozen=True)
class Drawn:
    """What was written.

    Attributes:
        members: template -> (image, medium) of each of its images
        subjects: template -> subject; gallery and probe templates
        galleries: templates of both galleries
        probes: templates
        points: image -> five landmarks, (5, 2), as in the list
        scores: image -> detection score, as in the list
    """

    members: dict[int, list[tuple[str, int]]]
    subjects: dict[int, int]
    galleries: tuple[list[int], list[int]]
    probes: list[int]
    points: dict[str, np.ndarray]
    scores: dict[str, float]

    def pairs(self) -> list[tuple[int, int, bool]]:
        """(template, template, same) of every gallery template with every probe."""
        both = product([*self.galleries[0], *self.galleries[1]], self.probes)
        return [(one, other, self.subjects[one] == self.subjects[other]) for one, other in both]


def write(root: Path, which: str) -> Drawn:
    """Writes ``loose_crop`` and ``meta``; ``which`` is ijbb or ijbc."""
    data: Any = resolve("data", {"name": "drawn", "subjects": SUBJECTS, "shots": SHOTS, "size": SIDE})
    images = data.build(data.manifest(Path()))
    rng = np.random.default_rng(0)
    (root / "loose_crop").mkdir(parents=True)
    (root / "meta").mkdir()
    names = [f"{row + 1}.png" for row in range(SUBJECTS * SHOTS)]
    points = {name: (np.array(TEMPLATE) * SIDE / 112 + rng.normal(0, 0.7, (5, 2))).round(3) for name in names}
    scores = {name: round(float(rng.uniform(0.6, 1)), 4) for name in names}
    for row, name in enumerate(names):
        assert cv2.imwrite(str(root / "loose_crop" / name), np.ascontiguousarray(images.image(row)[..., ::-1]))
    members: dict[int, list[tuple[str, int]]] = {}
    subjects: dict[int, int] = {}
    for who, (place, shots) in product(range(SUBJECTS), enumerate(TEMPLATES)):
        number = 10 + 7 * who + place
        subjects[number] = 500 + who
        members[number] = [(names[who * SHOTS + one], who * SHOTS + (VIDEO[0] if one in VIDEO else one)) for one in shots]
    held = [number for number in members if (number - 10) % 7 == 0]
    half = SUBJECTS // 2
    probes = [number for number in members if number not in held]
    found = Drawn(members, subjects, (held[:half], held[half:]), probes, points, scores)
    _lists(root / "meta", which, found)
    return found


def _lists(meta: Path, which: str, found: Drawn) -> None:
    faces = [f"{name} {number} {medium}" for number, some in found.members.items() for name, medium in some]
    pairs = [f"{one} {other} {int(same)}" for one, other, same in found.pairs()]
    marks = [
        f"{name} {' '.join(f'{value:.3f}' for value in where.ravel())} {found.scores[name]}"
        for name, where in found.points.items()
    ]
    named = {"face_tid_mid": faces, "template_pair_label": pairs, "name_5pts_score": marks}
    for name, lines in named.items():
        (meta / f"{which}_{name}.txt").write_text("\n".join(lines) + "\n")
    one, two = ("S1", "S2") if which == "ijbb" else ("G1", "G2")
    searched = {f"gallery_{one}": found.galleries[0], f"gallery_{two}": found.galleries[1], "probe_mixed": found.probes}
    for name, numbers in searched.items():
        with (meta / f"{which}_1N_{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["TEMPLATE_ID", "SUBJECT_ID", "FILENAME", "FACE_X"])
            for number in numbers:
                writer.writerows([number, found.subjects[number], f"img/{name}", 0] for name, _ in found.members[number])

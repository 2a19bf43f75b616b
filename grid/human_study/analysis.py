"""The analysis of a human study: Zhong and Deng's Table I and Figs. 8 to 10, and the test that they left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.human_study.answers import Answer
from grid.human_study.benefit import Benefit, benefit
from grid.human_study.complementarity import Complementarity, complementarity
from grid.human_study.design import Design
from grid.human_study.judgments import Judgments, finished
from grid.human_study.sensitivity import d_prime, roc

PAPER = {  # Zhong and Deng, ICPR 2018, Table I: accuracy in percent, mean and standard deviation of 30 participants each
    "pair_occlusion": ((76.19, 4.95), (84.14, 1.13)),
    "deconvnet": ((76.05, 5.71), (76.33, 6.45)),
    "gradient": ((76.47, 4.29), (76.26, 3.20)),
}


@dataclass(frozen=True)
class Line:
    """A row of Table I: one group in one pass.

    Attributes:
        letter, title: of the group; number: of the pass
        people: number of participants
        mean, deviation: of their accuracy; the deviation is None for one participant
        d_prime, criterion, auc: means over participants; None if all pairs are genuine, or all impostors
        seconds: median time of an answer
        paper: mean and deviation in the paper, for its three methods
    """

    letter: str
    title: str
    number: int
    people: int
    mean: float
    deviation: float | None
    d_prime: float | None
    criterion: float | None
    auc: float | None
    seconds: float
    paper: tuple[float, float] | None


@dataclass(frozen=True)
class Sample:
    """The analysis of everyone, or of those whom the declared rule keeps. ``trouble`` says why there is no ``benefit``."""

    title: str
    judgments: Judgments
    lines: tuple[Line, ...]
    benefit: Benefit | None
    trouble: str | None
    complement: Complementarity | None


@dataclass(frozen=True)
class Analysis:
    """The analysis of a bundle.

    Attributes:
        joined: number of participants of each group who gave consent
        samples: everyone who finished and, if a rule was declared, those whom it keeps
    """

    design: Design
    joined: dict[str, int]
    samples: tuple[Sample, ...]

    @property
    def network(self) -> float:
        """The accuracy of the network on these pairs."""
        return float(self.design.network_correct.mean())


def analyze(design: Design, answers: Sequence[Answer], joined: dict[str, int]) -> Analysis:
    """Analyzes the answers to a design; works with any number of them."""
    whole = finished(design, answers)
    samples = [_sample("Everyone who finished", design, whole)]
    if not design.inclusion.everyone:
        samples.append(
            _sample(f"Kept by the declared rule: {design.inclusion.words}", design, whole.included(design.inclusion))
        )
    return Analysis(design, joined, tuple(samples))


def _sample(title: str, design: Design, judgments: Judgments) -> Sample:
    lines = [
        line for group in design.groups for number in (1, 2) if (line := _line(judgments, group.letter, group.title, number))
    ]
    found, trouble = None, None
    try:
        found = benefit(judgments.accuracy, judgments.letters, design.letters)
    except ValueError as error:
        trouble = str(error)
    complement = complementarity(judgments.correct, design.network_correct) if len(judgments.letters) else None
    return Sample(title, judgments, tuple(lines), found, trouble, complement)


def _line(judgments: Judgments, letter: str, title: str, number: int) -> Line | None:
    rows = np.flatnonzero(judgments.letters == letter)
    if not len(rows):
        return None
    accuracy, choices = judgments.accuracy[rows, number - 1], judgments.choices[rows, number - 1]
    signal, criterion, area = None, None, None
    if judgments.same.any() and not judgments.same.all():
        signal, criterion = map(float, d_prime(choices, judgments.same).mean(axis=0))
        area = float(np.mean([roc(one, judgments.same).auc() for one in choices]))
    return Line(
        letter,
        title,
        number,
        len(rows),
        float(accuracy.mean()),
        float(accuracy.std(ddof=1)) if len(rows) > 1 else None,
        signal,
        criterion,
        area,
        float(np.median(judgments.milliseconds[rows, number - 1])) / 1000,
        PAPER[title][number - 1] if title in PAPER else None,
    )

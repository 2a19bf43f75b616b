"""The answers of those who finished, as arrays, and which of them the declared rule keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from grid.human_study.answers import Answer
from grid.human_study.choices import judged_same
from grid.human_study.design import Design, Inclusion


@dataclass(frozen=True, eq=False)
class Judgments:
    """The choices of P participants in both passes on N pairs.

    Attributes:
        letters: (P,) str, their groups
        choices: int64 (P, 2, N), from 1 to 5, pairs in the order of the design
        milliseconds: int64 (P, 2, N)
        same: bool (N,), the truth
    """

    letters: np.ndarray
    choices: np.ndarray
    milliseconds: np.ndarray
    same: np.ndarray

    @cached_property
    def correct(self) -> np.ndarray:
        """bool (P, 2, N)."""
        found: np.ndarray = judged_same(self.choices) == self.same
        return found

    @cached_property
    def accuracy(self) -> np.ndarray:
        """float64 (P, 2): share of correct judgments of each participant and pass."""
        return np.asarray(self.correct.mean(axis=2, dtype=np.float64))

    def of(self, rows: np.ndarray) -> Judgments:
        """Those of some participants: a mask (P,) or indices."""
        return Judgments(self.letters[rows], self.choices[rows], self.milliseconds[rows], self.same)

    def included(self, rule: Inclusion) -> Judgments:
        """Those whom the rule keeps; only their first pass counts."""
        first = self.accuracy[:, 0]
        seconds = np.median(self.milliseconds[:, 0], axis=1) / 1000
        return self.of((first >= rule.low) & (first <= rule.high) & (seconds >= rule.seconds))


def finished(design: Design, answers: Sequence[Answer]) -> Judgments:
    """The judgments of everyone who answered all pairs in both passes."""
    place = {pair.id: number for number, pair in enumerate(design.pairs)}
    groups = {answer.participant: answer.letter for answer in answers}
    row = {participant: number for number, participant in enumerate(sorted(groups))}
    choices = np.zeros((len(row), 2, len(place)), np.int64)
    milliseconds = np.zeros_like(choices)
    for answer in answers:
        at = row[answer.participant], answer.number - 1, place[answer.pair]
        choices[at], milliseconds[at] = answer.choice, answer.milliseconds
    letters = np.array([groups[participant] for participant in sorted(groups)], dtype="<U1")
    whole = (choices > 0).all(axis=(1, 2)) if len(row) else np.zeros(0, bool)
    return Judgments(letters[whole], choices[whole], milliseconds[whole], design.same)

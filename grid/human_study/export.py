"""All answers of a bundle as CSV."""

from __future__ import annotations

from pathlib import Path

from grid.human_study.answers import Answers
from grid.human_study.choices import SAME
from grid.human_study.design import ANSWERS, Design, read_design
from grid.report.text import csv_text, spreadsheet
from grid.spec.grid_file import BadInput
from grid.terminal import command

COLUMNS = (
    "participant", "group", "maps", "pass", "position", "pair", "left", "right", "choice", "said", "truth", "correct",
    "network_correct", "score", "milliseconds",
)  # fmt: skip


def open_answers(bundle: Path) -> tuple[Design, Answers]:
    """The design of a bundle and its answers.

    Raises:
        BadInput: it is no bundle, no participant has joined yet, or a file is damaged.
    """
    design = read_design(bundle)
    if not (bundle / ANSWERS).is_file():
        raise BadInput(f"{bundle}: no answers yet; `{command('facegrid', 'study', 'serve', bundle)}` collects them")
    return design, Answers(bundle, design)


def answers_csv(bundle: Path) -> str:
    """One line per answer, by participant, pass and position; participants are running numbers."""
    design, answers = open_answers(bundle)
    pairs = {pair.id: pair for pair in design.pairs}
    titles = {group.letter: group.title for group in design.groups}
    names = ("different", "same")
    lines = [COLUMNS]
    for one in answers.all():
        pair, same = pairs[one.pair], one.choice <= SAME
        lines.append(
            (
                str(one.participant), one.letter, titles[one.letter], str(one.number), str(one.position), one.pair,
                spreadsheet(pair.left), spreadsheet(pair.right), str(one.choice), names[same], names[pair.same],
                str(int(same == pair.same)), str(int(pair.accepted == pair.same)), f"{pair.score:.6f}", str(one.milliseconds),
            )
        )  # fmt: skip
    answers.close()
    return csv_text(lines)

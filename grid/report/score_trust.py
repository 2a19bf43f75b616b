"""Which explanation score can be trusted: a table per ground truth and cell, a line and a sentence per score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grid.report.markdown import joined, pipe_table, plain
from grid.report.scores import number_title
from grid.report.table_csv import cells_csv
from grid.report.text import value_and_interval
from grid.results.by_cell import grouped_by_cell
from grid.results.rows import Row
from grid.results.score_trust import Number, Trust
from modules.metrics.score_agreement import AGREES, FEWEST, REVERSED, TOO_FEW

HEAD = ("Score", "Correlation over maps", "p", "Within a pair", "Maps", "Verdict")
VERDICTS = {AGREES: "ranks maps alike", REVERSED: "ranks them in reverse", TOO_FEW: "too few maps"}
NOTE = (
    "Does a score rank the maps of different methods as the ground truth does? The ground truth knows where two images "
    "differ; only maps of the difference count, each number so that higher is better. Correlation: Spearman's, of the "
    "mean scores of the maps, with a 95 % bootstrap interval over subjects. p: how often maps in random order agree at "
    "least as much. Within a pair: the mean correlation for single pairs, and their number. A score ranks maps alike if "
    "the interval lies above 0 and p is below 0.05; one that uses the ground truth itself is shown and not judged. Noise "
    "lowers correlations: an interval around 0 may also mean too few pairs. No correction is made for several scores."
)


@dataclass(frozen=True)
class Board:
    """One ground truth in one cell: all scores against it."""

    row: Row
    of: str
    truth: str
    repeats: str
    lines: tuple[Trust, ...]

    @property
    def title(self) -> str:
        return f"{self.truth} on {self.of}"


def boards(found: Sequence[Trust]) -> list[Board]:
    """In the order of the cells."""
    groups = grouped_by_cell(found, lambda one: (one.of, one.truth))
    return [Board(some[0].row, some[0].of, named(some[0].truth), _repeats(some), tuple(some)) for some in groups]


def named(number: Number) -> str:
    """As in the table of scores, such as "Hiding game AUC"."""
    return number_title(number[0], [number[1]])


def fields(one: Trust) -> list[tuple[str, str]]:
    """The fields of ``HEAD``, each as (text, interval)."""
    found = one.agreement
    p = "–" if found["p"] is None else f"{found['p']:.3f}" if found["p"] >= 0.001 else "< 0.001"
    verdict = "uses the ground truth" if one.known else VERDICTS.get(found["verdict"], "unclear")
    within, spread = value_and_interval(found["within"], 2)
    pairs = f"{spread} {found['within']['pairs']}".strip()
    correlation, maps = value_and_interval(found, 2), str(found["maps"])
    return [(named(one.score), ""), correlation, (p, ""), (within, pairs), (maps, ""), (verdict, "")]


def sentence(one: Trust) -> str:
    """What the line means, for users of the score."""
    found, score, truth = one.agreement, named(one.score), named(one.truth)
    if found["verdict"] == TOO_FEW:
        few = f"{found['maps']} maps are too few to judge a score"
        return f"{score}: {few}; with fewer than {FEWEST}, even the same order may be luck."
    value = "undefined" if found["value"] is None else " ".join(value_and_interval(found, 2)).strip()
    if found["verdict"] == AGREES:
        return (
            f"{score} ranks these {found['maps']} maps much as {truth} does ({value}): it can be trusted to choose among them."
        )
    if found["verdict"] == REVERSED:
        return f"{score} ranks these {found['maps']} maps in reverse ({value}): the maps it prefers have the lower {truth}."
    return f"{score} does not show which of these {found['maps']} maps has the higher {truth} ({value}): do not choose by it."


def sentences(board: Board) -> list[str]:
    """Those of the scores that do not know the ground truth."""
    return [sentence(one) for one in board.lines if not one.known]


def _repeats(some: Sequence[Trust]) -> str:
    found = some[0].agreement
    known = "cannot be said" if found["repeats"] is None else f"is {found['repeats']:.2f}"
    return (
        f"Maps: {', '.join(some[0].maps)}. {found['pairs']} pairs with a known region. Intervals are over {found['units']} "
        "subjects, or independent groups of subjects where there are ten. The correlation of the ground truth between two "
        f"halves of them {known}: near 0, it orders the maps by chance, and no score can agree with it."
    )


def trust_markdown(found: Sequence[Board], name: str) -> str:
    """A pipe table per board, and the sentences below it; ends with a line break."""
    lines = [f"# Scores of explanations of {plain(name)}: which can be trusted", "", NOTE]
    for board in found:
        lines += ["", f"## {plain(board.title)}: {plain(board.row.title)}", "", board.repeats, ""]
        lines += pipe_table(HEAD, ([*map(joined, fields(one))] for one in board.lines), "lrrrrl")
        lines += ["", *(f"* {plain(text)}" for text in sentences(board))]
    return "\n".join(lines) + "\n"


def trust_csv(found: Sequence[Trust], axes: Sequence[str]) -> str:
    """A line per score and ground truth; in the format of ``table.csv``."""
    numbers = ("value", "low", "high", "p")
    within = ("value", "low", "high", "pairs")
    columns = ("of", "truth", "truth_number", "score", "number", *numbers, *(f"within_{key}" for key in within))
    columns += ("repeats", "maps", "pairs", "units", "verdict")
    lines = []
    for one in found:
        entry = one.agreement
        values = [*(entry[key] for key in numbers), *(entry["within"][key] for key in within), entry["repeats"]]
        counts = (entry[key] for key in ("maps", "pairs", "units", "verdict"))
        lines.append((one.row, [one.of, *one.truth, *one.score, *values, *counts]))
    return cells_csv(axes, columns, lines)


def trust_json(found: Sequence[Trust]) -> list[dict[str, Any]]:
    """Every comparison, with the names of the maps."""
    return [
        {
            "cell": one.row.cell.id,
            "levels": dict(one.row.cell.levels),
            "of": one.of,
            "truth": list(one.truth),
            "score": list(one.score),
            "compared": list(one.maps),
            **one.agreement,
        }
        for one in found
    ]

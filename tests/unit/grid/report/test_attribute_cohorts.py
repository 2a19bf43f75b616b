"""Cohorts in the report: the numbers of the results, notes, one line per cohort and cell, strips within their scale."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configs.lookup import resolve
from datamodules.columns import Column
from grid.evaluation.attribute_cohorts import add_cohorts
from grid.evaluation.evaluator import Predicted
from grid.report.attribute_cohorts import class_gaps, cohort_tables, cohorts_markdown, uncounted
from grid.report.attributes import boards
from grid.report.page import HERE, TABLES, templates
from grid.spec.training import Target
from modules.metrics.absolute_error import absolute_error
from modules.metrics.calibration import calibration
from modules.metrics.classification import classification
from modules.metrics.unit_bootstrap import Draws

SETTINGS = {"name": "attributes", "data": "drawn", "resamples": 100, "cohorts": ["race"]}


def metrics(seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    race = Column.categorical(["A", "B", "<C>", None][n % 4] if n else "D" for n in range(160))
    truth, probabilities = generator.integers(0, 2, 160), generator.dirichlet([1.0, 1.0], 160)
    protocol: Any = resolve("protocol", SETTINGS)
    age: dict[str, Any] = classification(truth, probabilities.argmax(1), 2, Draws(resamples=100))
    age |= calibration(probabilities.max(1), probabilities.argmax(1) == truth, 15, Draws(resamples=100))
    age["per_class"] = {name: one | {"trained": 9} for name, one in zip(("old", "young"), age.pop("classes"), strict=True)}
    age |= {"images": 160, "unknown": 0, "absent_from_training": []}
    years: dict[str, Any] = absolute_error(truth * 9.0, probabilities[:, 0], 5, Draws(resamples=100))
    years |= {"images": 160, "unknown": 0, "unit": "years"}
    for entry, found, known in (
        (age, Predicted(Target(), probabilities, ("old", "young"), (9, 9)), truth),
        (years, Predicted(Target(), probabilities[:, 0]), truth * 9.0),
    ):
        add_cohorts(
            entry, {"race": race}, np.arange(160), known, found, False, Draws(None, protocol.resamples, protocol.seed), protocol
        )
    return {"task": "attributes", "targets": {"age": age, "years": years}}


@pytest.fixture(scope="module")
def table() -> Any:
    rows = [
        SimpleNamespace(
            title=f"w={level}",
            cell=SimpleNamespace(levels={"w": level}, names=()),
            metrics={"utk": metrics(seed)},
            markers={},
        )
        for seed, level in enumerate(("none", "balanced"))
    ]
    return SimpleNamespace(rows=rows)


def test_every_metric_has_a_line_per_cohort_and_cell_with_the_numbers_of_the_results(table: Any) -> None:
    age, years = boards(table)
    found = cohort_tables(age)
    assert [one.title for one in found] == ["Accuracy", "Balanced accuracy", "Macro F1", "ECE"]
    first = found[0]
    assert [(line.row.title, line.cohort) for line in first.lines] == [
        (title, cohort) for title in ("w=none", "w=balanced") for cohort in ("<C>", "A", "B")
    ]
    target = table.rows[1].metrics["utk"]["targets"]["age"]
    entry = target["cohorts"]["race"]["metrics"]["accuracy"]
    line = first.lines[4]
    assert line.value[0] == f"{100 * entry['cohorts']['A']['value']:.1f}"
    assert line.difference[1] == "[{low:.1f}, {high:.1f}]".format(
        **{key: 100 * entry["differences"]["A"][key] for key in ("low", "high")}
    )
    assert line.p == f"{entry['differences']['A']['p']:.3f}"
    assert first.gaps[1].value[0] == f"{100 * target['accuracy_gap']['race']['value']:.1f}"
    assert first.gaps[1].highest == target["accuracy_gap"]["race"]["highest"]
    assert [(one.title, one.unit) for one in cohort_tables(years)] == [("MAE [years]", ""), ("CS@5", " [%]")]


def test_strips_share_a_scale_and_stay_in_it(table: Any) -> None:
    for one in cohort_tables(boards(table)[1]):
        whiskers = [line.whisker for line in one.lines]
        assert min(whisker.low for whisker in whiskers if whisker) == 0
        assert max(whisker.high for whisker in whiskers if whisker) == 100
        assert all(whisker.low <= whisker.value <= whisker.high for whisker in whiskers if whisker)


def test_unknown_and_small_cohorts_are_said(table: Any) -> None:
    first, second = uncounted(boards(table)[0], "race")
    assert first == "40 of 160 images have no known race and do not count here."
    assert second.endswith("(number of images): D (1).")


def test_classes_have_gaps_of_their_rates(table: Any) -> None:
    found = class_gaps(boards(table)[0], "race")
    assert [(row.title, name) for row, name, _ in found][:2] == [("w=none", "old"), ("w=none", "young")]
    recall = table.rows[0].metrics["utk"]["targets"]["age"]["per_class"]["old"]["recall_gap"]["race"]
    assert found[0][2][0][0] == f"{100 * recall['value']:.1f}"


def test_the_markdown_has_the_tables_and_is_empty_without_cohorts(table: Any) -> None:
    text = cohorts_markdown(boards(table))
    assert text.count("40 of 160 images have no known race") == 2
    assert "## age on utk by race: Accuracy" in text
    assert sum(line.startswith("| w=none | gap: ") for line in text.splitlines()) == len(
        [one for board in boards(table) for one in cohort_tables(board)]
    )
    for start, line in enumerate(lines := text.splitlines()):
        if line.startswith("| :-"):
            assert lines[start - 1].count(" | ") == line.count(" | ")
    plain: dict[str, Any] = {"mae": {"value": 1.0}, "images": 3, "unknown": 0}
    bare: Any = SimpleNamespace(
        title="w",
        cell=SimpleNamespace(levels={}, names=()),
        metrics={"utk": {"task": "attributes", "targets": {"years": plain}}},
        markers={},
    )
    assert cohorts_markdown(boards(SimpleNamespace(rows=[bare]))) == ""  # type: ignore[arg-type]


def test_the_page_has_a_table_per_metric_and_a_strip_per_cohort(table: Any) -> None:
    whole = Path(HERE / "page.html").read_text(encoding="utf-8")
    macros = whole[: whole.index("<!doctype html>")]
    board = boards(table)[0]
    text = (
        templates()
        .from_string(macros + "{% include 'page_attribute_cohorts.html' %}")
        .render(
            table=table,
            board=board,
            tables=TABLES,
            strokes=[SimpleNamespace(hue=n, dash="") for n in range(3)],
            levels_of=lambda row: [],
            number_of=table.rows.index,
        )
    )
    found = cohort_tables(board)
    assert text.count('<div class="strip">') == sum(len(one.lines) for one in found)
    assert len(re.findall(r"<summary>(.+) by race</summary>", text)) == len(found)
    assert "&lt;C&gt;" in text
    assert "<C>" not in text
    assert "40 of 160 images have no known race" in text

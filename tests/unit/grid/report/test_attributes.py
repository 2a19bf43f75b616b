"""Tables and figures of attribute metrics: what is printed is what was measured."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grid.report.attributes import PLOT, attributes_markdown, boards, printed
from grid.report.page import HERE, TABLES, cells_of, templates
from grid.spec.stage_name import StageName
from modules.metrics.absolute_error import absolute_error
from modules.metrics.calibration import calibration
from modules.metrics.classification import classification
from modules.metrics.unit_bootstrap import Draws

NAMES = ("old", "y|oung")


def metrics(seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    truth, confidence = generator.integers(0, 2, 80), generator.uniform(0.5, 1, 80)
    predicted = np.where(generator.random(80) < 0.7, truth, 1 - truth)
    age = classification(truth, predicted, 2, Draws(resamples=100), ordered=True) | calibration(
        confidence, predicted == truth, 5
    )
    age["per_class"] = {name: one | {"trained": 9} for name, one in zip(NAMES, age.pop("classes"), strict=True)}
    age |= {"images": 80, "unknown": 3, "absent_from_training": ["y|oung"]}
    years = absolute_error(truth * 9.0, predicted * 9.0 + confidence, 5) | {"unit": "years", "images": 80, "unknown": 0}
    return {"task": "attributes", "targets": {"age": age, "years": years}}


def cell(title: str, levels: dict[str, str], metrics: dict[str, Any]) -> Any:
    name = StageName("evaluate", "utk")
    markers = {name: SimpleNamespace(outputs={}, inputs={}, content=repr(metrics))}
    return SimpleNamespace(title=title, cell=SimpleNamespace(levels=levels, names=(name,)), metrics=metrics, markers=markers)


@pytest.fixture
def table() -> Any:
    rows = [
        cell(f"weights={level}", {"weights": level}, metrics={"utk": metrics(seed)})
        for seed, level in enumerate(("none", "balanced"))
    ]
    rows.append(cell("open", {}, {"lfw": {"eer": {"value": 0.1}}}))
    return SimpleNamespace(rows=rows)


def test_there_is_a_board_for_each_target_with_the_cells_that_have_it(table: Any) -> None:
    age, years = boards(table)
    assert (age.protocol, age.target, len(age.rows), age.classes) == ("utk", "age", 2, NAMES)
    assert [key for key, _, _ in age.columns] == ["accuracy", "balanced_accuracy", "macro_f1", "off_by_one", "ece"]
    assert [title for _, title, _ in years.columns] == ["MAE [years]", "CS@5"]
    assert (years.classes, years.drawn, age.drawn) == ((), False, True)


def test_numbers_are_printed_with_their_intervals(table: Any) -> None:
    age, years = boards(table)
    row, line = age.rows[0], age.lines[0]
    found = row.metrics["utk"]["targets"]["age"]
    accuracy, recall = found["accuracy"], found["per_class"]["old"]["recall"]
    assert age.metric(line, "accuracy", True) == (
        f"{100 * accuracy['value']:.1f}",
        f"[{100 * accuracy['low']:.1f}, {100 * accuracy['high']:.1f}]",
    )
    assert age.rate(line, "old", "recall")[0] == f"{100 * recall['value']:.1f}"
    assert age.rate(line, "unheard", "recall") == ("–", "")
    assert years.metric(years.lines[0], "mae", False)[0] == f"{row.metrics['utk']['targets']['years']['mae']['value']:.2f}"
    assert printed({"value": 0.5, "low": None}, True) == ("50.0", "")


def test_confusion_shares_are_those_of_the_true_class_and_curves_stay_in_the_plot(table: Any) -> None:
    age = boards(table)[0]
    shares = age.shares(age.rows[0])
    counts = age.rows[0].metrics["utk"]["targets"]["age"]["confusion"]
    assert [[count for count, _ in those] for those in shares] == counts
    assert [sum(share for _, share in those) for those in shares] == pytest.approx([1, 1])
    points = [tuple(map(float, point.split(","))) for point in age.curve(age.rows[0])]
    assert len(points) == len(age.rows[0].metrics["utk"]["targets"]["age"]["reliability"])
    assert all(PLOT.left <= x <= PLOT.left + PLOT.width and PLOT.top <= y <= PLOT.top + PLOT.height for x, y in points)
    for low, high, point, one in zip(
        *zip(*age.whiskers(age.rows[0]), strict=True), points, age.of(age.rows[0])["reliability"], strict=True
    ):
        ends = [tuple(map(float, end.split(","))) for end in (low, high)]
        assert [x for x, _ in ends] == [point[0]] * 2
        expected = [PLOT.top + (1 - one["accuracy"][end]) * PLOT.height for end in ("low", "high")]
        assert [y for _, y in ends] == pytest.approx(expected, abs=0.06)


def test_the_markdown_has_a_line_per_cell_and_per_class(table: Any) -> None:
    lines = attributes_markdown(boards(table), "my study").splitlines()
    assert r"## age on utk" in lines
    assert sum(line.startswith("| weights=") for line in lines) == 4
    assert sum(line.startswith(r"| y\|oung |") for line in lines) == 2
    for start, line in enumerate(lines):
        if line.startswith("| :-"):
            assert lines[start - 1].count(" | ") == line.count(" | ")


def page(table: Any) -> str:
    """The part of the report page on attributes."""
    whole = Path(HERE / "page.html").read_text(encoding="utf-8")
    macros = whole[: whole.index("<!doctype html>")]
    return (
        templates()
        .from_string(macros + "{% include 'page_attributes.html' %}")
        .render(
            table=table,
            attributes=boards(table),
            strokes=[SimpleNamespace(hue=n, dash=f"{n + 1} 9") for n in range(4)],
            tables=TABLES,
            levels_of=cells_of(table),
            number_of=table.rows.index,
        )
    )


def test_cells_may_have_other_classes_or_predict_numbers(table: Any) -> None:
    """Where an axis changes ``merge``, ``edges`` or the loss of a target."""
    first, second, _ = table.rows
    other = second.metrics["utk"]["targets"]["age"]
    other["per_class"] = dict(zip(("old", "child"), other["per_class"].values(), strict=True))
    other["per_class"]["old"] = {**other["per_class"]["old"], "support": 1}
    years = {"task": "attributes", "targets": {"age": first.metrics["utk"]["targets"]["years"]}}
    table.rows.insert(0, cell("years", {"weights": "years"}, {"utk": years}))
    age, _ = boards(table)
    assert age.classes == ("old", "y|oung", "child")
    assert age.classified == (first, second)
    support = first.metrics["utk"]["targets"]["age"]["per_class"]["old"]["support"]
    assert age.support("old") == f"1 to {support}"
    assert age.support("y|oung") == str(first.metrics["utk"]["targets"]["age"]["per_class"]["y|oung"]["support"])
    text = page(table)
    assert text.count('<rect class="cell"') == 2 * 4
    matrices = re.findall(r'<figure class="confusion".*?</figure>', text, re.DOTALL)
    assert [re.findall(r'text-anchor="end">([^<]+)<', one) for one in matrices] == [["old", "y|oung"], ["old", "child"]]
    assert f'<td class="factor">old</td><td>1 to {support}</td><td>' in text
    assert attributes_markdown([age], "n").count("### age, ") == 2


def test_the_page_draws_each_cell_of_the_confusion_matrix_and_each_bin(table: Any) -> None:
    found = boards(table)
    text = page(table)
    drawn = re.findall(r'<polyline class="curve (h\d)" data-row="(\d)" stroke-dasharray="([^"]+)"', text)
    named = re.findall(r'<tr data-row="(\d)" class="(h\d)"><td>\s*<svg.*?stroke-dasharray="([^"]+)"', text, re.DOTALL)
    assert drawn
    assert [(row, hue, dash) for hue, row, dash in drawn] == named
    assert text.count('<rect class="cell"') == 2 * 4
    assert text.count('<circle class="curve') == sum(len(found[0].curve(row)) for row in found[0].rows)
    assert "Without training images: y|oung" in text
    assert len(re.findall(r"<h2>(age|years) on utk</h2>", text)) == 2


def test_replicates_are_one_line_of_means_and_their_curves_and_matrices_stay_apart(table: Any) -> None:
    seeds = [cell(f"replicate={n}", {"weights": "none", "replicate": str(n)}, {"utk": metrics(n)}) for n in range(3)]
    copy = cell("replicate=3", {"weights": "none", "replicate": "3"}, {"utk": metrics(0)})
    table.rows[:] = [*seeds, copy]
    age, years = boards(table)
    (line,) = age.lines
    assert (line.title, len(line.replicates)) == ("weights=none (4 replicates)", 3)
    each = [age.of(row)["accuracy"] for row in seeds]
    value, low, high = (100 * np.mean([one[key] for one in each]) for key in ("value", "low", "high"))
    assert age.metric(line, "accuracy", True) == (f"{value:.1f}", f"[{low:.1f}, {high:.1f}]")
    recall = 100 * np.mean([age.per_class(row, "old")["recall"]["value"] for row in seeds])
    assert age.rate(line, "old", "recall")[0] == f"{recall:.1f}"
    text = page(table)
    assert text.count('data-cells="0 1 2 3"') == 2
    assert "<small>4 replicates</small>" in text
    assert text.count('<figure class="confusion"') == 4
    lines = attributes_markdown([age, years], "n").splitlines()
    assert [one.split(" | ")[0] for one in lines if one.startswith("| weights")] == ["| weights=none (4 replicates)"] * 2
    table.rows[:] = [seeds[0], copy]
    assert boards(table)[0].lines[0].count == "2 equal replicates"

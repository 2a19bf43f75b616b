"""The table of trials in the report, and what stays out of the table of cells."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from searched import LEVELS, SEARCH, searched_study

from grid.report.build import build
from grid.report.console import table
from grid.report.searches import fields, ordered
from grid.results.searches import searches


def test_the_chosen_trial_comes_first_then_those_that_were_trained_longest(tmp_path: Path) -> None:
    (found,) = searches(searched_study(tmp_path))
    assert [trial.number for trial in ordered(found)] == [2, 3, 4, 1]
    assert fields(ordered(found)[0]) == ["2", found.trials[1].text, "1,001", "0.3000", "2", "3", "chosen"]
    assert fields(ordered(found)[2])[2:] == ["1,003", "0.8000", "1", "1", ""]
    lacking = replace(found.trials[0], metric="validation_mae_age")  # its validation has none, which is no divergence
    assert fields(lacking)[3] == ""


def test_the_report_has_a_table_of_trials_and_its_table_of_cells_only_cells(tmp_path: Path) -> None:
    study = searched_study(tmp_path)
    page = build(study)
    text = page.with_name("searches.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\| \d", line)]
    assert [line.split(" | ")[0] for line in lines] == ["| 2", "| 3", "| 4", "| 1"]
    assert "6 of 6 trainings done; trials by epochs: 4 for 1, 2 for 3" in text
    html = page.read_text(encoding="utf-8")
    assert '<section id="searches">' in html
    assert html.count(">chosen<") == 1
    with open(page.with_name("table.csv"), encoding="utf-8") as file:
        assert [row["dense_layers"] for row in csv.DictReader(file)] == ["plain", "searched"]
    (entry,) = json.loads(page.with_name("report.json").read_text(encoding="utf-8"))["searches"]
    assert (entry["winner"], entry["done"], [trial["rung"] for trial in entry["trials"]]) == (2, 6, [1, 2, 2, 1])
    with open(page.with_name("results.csv"), encoding="utf-8") as file:
        assert not [row for row in csv.DictReader(file) if row["stage"] == "trial" and row["metric"] != "seconds"]
    console = io.StringIO()
    Console(file=console, width=160).print(table(study))
    assert "trials by epochs: 4 for 1, 2 for 3" in " ".join(console.getvalue().split())
    assert "chosen" in console.getvalue()


def test_of_an_asynchronous_search_only_what_was_trained_is_shown(tmp_path: Path) -> None:
    axes = {"dense_layers": {"searched": {"search": {**SEARCH, "scheduler": "asha"}}}}
    page = build(searched_study(tmp_path, trainings=8, axes=axes))
    text = page.with_name("searches.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\| \d", line)]
    assert [line.split(" | ")[0] for line in lines] == ["| 2", "| 3", "| 4", "| 1"]
    words = "8 of 8 trainings done, 2 of them not needed"
    assert f"{words}; trials by epochs: 4 for 1, 2 for 3" in text
    assert words in page.read_text(encoding="utf-8")
    (entry,) = json.loads(page.with_name("report.json").read_text(encoding="utf-8"))["searches"]
    assert (entry["scheduler"], entry["trainings"]) == ("asha", 8)
    promotions = [trial["promotions"] for trial in entry["trials"]]
    assert promotions == [[], [{"rank": 2, "of": 4}], [{"rank": 1, "of": 4}], []]


def test_a_study_without_a_search_has_no_such_table(tmp_path: Path) -> None:
    study = searched_study(tmp_path)
    build(study)
    assert (study.path / "report/searches.md").exists()
    other = searched_study(tmp_path, trainings=0, axes={"dense_layers": {"searched": LEVELS["searched"]}})
    other.record["cells"][0]["stages"].pop("search")
    build(other)
    assert not (study.path / "report/searches.md").exists()
    assert 'id="searches"' not in (study.path / "report/index.html").read_text(encoding="utf-8")

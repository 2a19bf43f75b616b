"""Every printed form says the same numbers."""

import csv
import io
import re

import pytest
from rich.console import Console

from grid.report import console, rows
from grid.report.latex import escape, latex
from grid.report.markdown import markdown
from grid.report.table_csv import table_csv
from grid.report.table_json import table_json

EVIL = "a|b <script>alert(1)</script> \\input{x} 50% *_`$"


@pytest.fixture
def study(make_study):
    return make_study(
        failed=[{"backbone": "alexnet", "detection": "mtcnn", "pretraining": "imagenet"}], pairs=100, explainers=()
    )


def test_markdown_has_a_line_per_cell_and_equally_many_fields(study):
    text = markdown(rows.table(study), study.name)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 14
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {12}
    assert "Partial: 11 done, 1 failed." in text
    assert "✓ in Face detection is mtcnn." in text


def test_csv_gives_back_the_very_numbers(study):
    found = rows.table(study)
    read = list(csv.DictReader(io.StringIO(table_csv(found))))
    assert len(read) == 12
    for line, row in zip(read, found.rows, strict=True):
        assert line["cell"] == row.cell.id
        assert line["backbone"] == row.cell.levels["backbone"]
        if row.metrics:
            metrics = row.metrics["lfw view 2"]
            assert float(line["oracle"]) == metrics["oracle"]["value"]
            assert float(line["tenfold_se"]) == metrics["tenfold"]["se"]
            assert float(line["val@0.1_low"]) == metrics["val"]["0.1"]["low"]
        else:
            assert line["oracle"] == ""
            assert line["state"] == "failed"


def test_csv_does_not_start_a_field_like_a_formula(make_study):
    study = make_study(axes={"backbone": ["=cmd()", "@x"]}, pairs=60, explainers=())
    read = list(csv.DictReader(io.StringIO(table_csv(rows.table(study)))))
    assert [line["backbone"] for line in read] == ["'=cmd()", "'@x"]


def test_latex_names_a_network_once_and_has_equally_many_columns(study):
    text = latex(rows.table(study), study.name)
    body = text[text.index("\\midrule") : text.index("\\bottomrule")]
    assert body.count("alexnet") == body.count("resnet34") == 1
    assert body.count("\\addlinespace") == 2
    lines = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert {line.count(" & ") for line in lines if "multicolumn" not in line} == {9}
    assert sum("\\multicolumn{7}{l}{\\emph{failed}}" in line for line in lines) == 1


def test_latex_has_no_live_letters_of_users(make_study):
    assert escape("a_b & 50% {x} \\y") == r"a\_b \& 50\% \{x\} \textbackslash{}y"
    study = make_study(axes={EVIL: [EVIL, "none"]}, pairs=60, explainers=())
    assert "\\input{" not in latex(rows.table(study), study.name)


def test_markdown_has_no_live_letters_of_users(make_study):
    study = make_study(axes={EVIL: [EVIL, "b", "c"]}, pairs=60, explainers=())
    text = markdown(rows.table(study), study.name)
    assert "<script" not in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_json_has_all_metrics_and_reasons(study):
    found = table_json(study, rows.table(study))
    assert found["counts"] == {"done": 11, "failed": 1}
    done = [cell for cell in found["cells"] if cell["state"] == "done"]
    assert all(len(cell["metrics"]["lfw view 2"]["tenfold"]["folds"]) == 10 for cell in done)
    assert [cell["attempts"]["train"] for cell in found["cells"] if cell["state"] == "failed"] == [2]


def test_the_console_table_fits_in_100_columns(study):
    out = Console(width=100, file=io.StringIO(), color_system=None)
    out.print(console.table(study))
    lines = out.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    body = [line for line in lines if re.search(r" (done|failed)\s*$", line)]
    assert len(body) == 12
    table = lines[next(n for n, line in enumerate(lines) if line.startswith("alexnet")) :][:12]
    assert all(line in body for line in table)  # no cell takes a second line
    assert any("failed: backbone=alexnet, detection=mtcnn, pretraining=imagenet: train" in line for line in lines)


def test_console_markup_of_users_is_text(make_study):
    study = make_study(axes={"backbone": ["[red]x[/red]"]}, pairs=60, explainers=())
    out = Console(width=100, file=io.StringIO(), color_system=None)
    out.print(console.table(study))
    assert "[red]x[/red]" in out.file.getvalue()


def test_several_protocols_have_a_line_each_in_the_console(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, protocols=("one", "two"), pairs=60, explainers=())
    out = Console(width=100, file=io.StringIO(), color_system=None)
    out.print(console.table(study))
    assert re.search(r"alexnet\s+one .*\n\s+two ", out.file.getvalue())

"""Every printed form says the same numbers."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from rich.console import Console

from grid.report import console
from grid.report.build import build
from grid.report.latex import escape, latex
from grid.report.markdown import markdown
from grid.report.table_csv import results_csv, table_csv
from grid.report.table_json import table_json
from grid.results import rows
from grid.results.results import results

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
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {10}
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
            assert float(line["best_threshold"]) == metrics["best_threshold"]["value"]
            assert float(line["ten_fold_se"]) == metrics["ten_fold"]["se"]
            assert float(line["val@0.1_low"]) == metrics["val"]["0.1"]["low"]
        else:
            assert line["best_threshold"] == ""
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
    assert {line.count(" & ") for line in lines if "multicolumn" not in line} == {7}
    assert sum("\\multicolumn{5}{l}{\\emph{failed}}" in line for line in lines) == 1


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
    assert all(len(cell["metrics"]["lfw view 2"]["ten_fold"]["folds"]) == 10 for cell in done)
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


def test_the_console_says_a_common_reason_once(make_study):
    alexnet = {"backbone": "alexnet"}
    failed = [{"backbone": "resnet34", "detection": "none"}]
    out = Console(width=200, record=True, file=io.StringIO())
    out.print(console.table(make_study(unfinished=[alexnet], failed=failed, pairs=100, explainers=())))
    lines = [line.strip() for line in out.export_text().splitlines()]
    (unfinished,) = (line for line in lines if line.startswith("unfinished: "))
    assert unfinished.startswith("unfinished: 4 cells: still to run: train, ")
    assert len([line for line in lines if line.startswith("failed: backbone=resnet34")]) == 2


def test_several_protocols_have_a_line_each_in_the_console(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, protocols=("one", "two"), pairs=60, explainers=())
    out = Console(width=100, file=io.StringIO(), color_system=None)
    out.print(console.table(study))
    assert re.search(r"alexnet\s+one .*\n\s+two ", out.file.getvalue())


def test_the_line_on_units_leaves_out_columns_that_a_terminal_does_not_show(make_study):
    found = rows.table(make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=()))
    assert "in %, except AUC;" in str(console._caption(found, False, frozenset()))
    hidden = tuple(replace(column, headline=column.key != "auc") for column in found.columns)
    assert "in %;" in str(console._caption(replace(found, columns=hidden), False, frozenset()))


TEXTS = [  # of a level or an axis: what LaTeX, a spreadsheet or a terminal would take for something else
    "[2] rows", "*x", "\x1b[31mred\x1b[0m", "a\x00b\x07", "\u202egnp.exe", "Žižek ŧ Ω 猫 🙂", "a--b ``c'' <<d>> ,,e",
    "\ud800", "x\r\ny\tz",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_latex_compiles_whatever_a_level_is_called(make_study, tmp_path, text):
    """With pdfLaTeX where it is installed; the rules that it would enforce are checked anywhere."""
    axes = {text: [text, "other", "third"], "b": [text, "y", "z"]}
    study = make_study("latex", axes=axes, protocols=("p [1]",), pairs=60, explainers=(), failed=[{"b": "y"}], because=text)
    table = latex(rows.table(study), text)
    assert not re.search(r"\\\\\s*[\[*]", table)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", table)
    if command := shutil.which("pdflatex"):
        head = "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs,amssymb}\\begin{document}\n"
        (tmp_path / "a.tex").write_text(head + table + "\\end{document}\n", encoding="utf-8")
        done = subprocess.run([command, "-interaction=nonstopmode", "a.tex"], cwd=tmp_path, capture_output=True, check=False)
        errors = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith("!")]
        assert not errors
        assert done.returncode == 0


def test_latex_escapes_ligatures_and_letters_that_pdflatex_lacks():
    assert escape("a---b") == "a-{}-{}-b"
    assert escape("Žü Ω") == r"Žü \unicodechar{Ω}{03A9}"
    assert escape("x\x1b") == r"x\textbackslash{}x1b"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r\n@x", "＝1"])
def test_csv_runs_no_formula_in_a_header_or_a_field(make_study, text):
    study = make_study("formula", axes={text: [text, "b"]}, protocols=(text, "other"), pairs=60, explainers=())
    found = list(csv.reader(io.StringIO(table_csv(rows.table(study)))))
    for field in [field for line in found for field in line]:
        assert not re.match(r"\s*[=+@＝]|\s*-(?!\d\.\d)", field), field
    assert found[0][1] == found[1][1] == "'" + text.strip()


def test_every_file_of_a_report_is_written_whatever_levels_are_called(make_study):
    axes, text = {"a": [*TEXTS, "other"]}, " ".join(TEXTS)
    study = make_study("files", axes=axes, protocols=(text,), images=1, pairs=60, because=text, skipped=[{"a": "other"}])
    folder = build(study).parent
    for path in folder.iterdir():
        if path.suffix != ".png":
            found = path.read_text(encoding="utf-8")
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", found), path.name
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["axes"]["a"][:-1] == TEXTS


@pytest.mark.slow
def test_long_names_give_files_that_a_file_system_takes(make_study):
    long = ["x" * 300, "x" * 300 + "y"]
    study = make_study("long", axes={"a": long, "b": ["猫" * 200]}, protocols=(), images=1)
    names = [path.name for path in build(study).parent.iterdir() if path.suffix == ".png"]
    assert len(names) == 4  # one of each cell, one of each method
    assert all(len(name.encode()) <= 255 for name in names)


def test_the_long_table_has_every_number_of_results_at_full_precision(study):
    found = results(study)
    read = list(csv.DictReader(io.StringIO(results_csv(found))))
    assert len(read) == len(found)
    for line, row in zip(read, found, strict=True):
        assert (line["metric"], line["backbone"]) == (row.metric, row.factors["backbone"])
        assert (float(line["value"]) if line["value"] else None) == row.value
        assert line["interval"] == (row.interval or "")


def test_the_long_table_runs_no_formula(make_study):
    study = make_study("formula", axes={"=a": ["=1+1"]}, protocols=("@x",), pairs=60, explainers=())
    lines = list(csv.reader(io.StringIO(results_csv(results(study)))))
    assert lines[0][1] == "'=a"
    assert {line[1] for line in lines[1:]} == {"'=1+1"}

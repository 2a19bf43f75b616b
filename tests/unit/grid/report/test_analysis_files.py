"""The two sections on the page, in Markdown, CSV and JSON, with the numbers of the analysis."""

import csv
import json
import shutil

import pytest
from invented_study import build_study

from grid.analysis.analysis import analyze
from grid.report.analysis_files import matrix, ranked
from grid.report.build import build
from grid.results.rows import table


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Tests only read it and its ``page``."""
    axes = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}
    failed = [{"backbone": "alexnet", "detection": "mtcnn"}]
    return build_study(tmp_path_factory.mktemp("analyzed") / "ito2021", axes=axes, failed=failed, pairs=100, explainers=())


@pytest.fixture(scope="module")
def page(study):
    return build(study)


def test_every_file_has_the_numbers(study, page):
    (found,) = analyze(study, table(study))
    auc = next(one for one in found.metrics if one.column.key == "auc")
    (lines,) = (list(csv.DictReader(page.with_name("comparisons.csv").open())),)
    assert len(lines) == 3 * len(found.metrics)
    line = next(one for one in lines if one["metric"] == "auc")
    assert float(line["difference"]) == auc.comparisons.pairs[0].difference.value
    effects = list(csv.DictReader(page.with_name("effects.csv").open()))
    assert float(next(one for one in effects if one["metric"] == "auc")["effect"]) == auc.effects.terms[0].levels[0].value
    report = json.loads(page.with_name("report.json").read_text())
    assert len(report["effects"]) == len(effects)
    assert len(report["comparisons"]) == len(lines)
    assert any("Not balanced: 1 of 4" in one for one in report["limits"]["lfw view 2"])
    text = page.with_name("analysis.md").read_text()
    assert "### Accuracy, cross-validated" in text
    assert "backbone x detection cannot be estimated" in text
    assert "| backbone + backbone x detection | alexnet " in text
    assert "| detection + backbone x detection | none " in text
    assert {(one["term"], one["aliased_with"]) for one in effects} == {
        ("backbone", "backbone x detection"),
        ("detection", "backbone x detection"),
    }
    assert {(one["term"], one["aliased_with"]) for one in report["effects"]} == {
        (one["term"], one["aliased_with"]) for one in effects
    }


def test_significant_pairs_are_listed_the_better_cell_first(make_study):
    """On the page they are the fields of the matrix."""
    study = make_study("two", axes={"detection": ["none", "mtcnn"]}, pairs=400, explainers=())
    build(study)
    (found,) = analyze(study, table(study))
    text = (study.path / "report/analysis.md").read_text()
    for metric in found.metrics:
        section = text.partition(f"### {metric.column.title}\n")[2].partition("\n### ")[0]
        (pair,) = metric.comparisons.pairs
        assert ("Significant differences" in section) == pair.differs
        if metric.column.key == "auc":
            assert pair.differs
            names = [found.cells[one]["detection"] for one in metric.comparisons.order]
            assert f"* {names[0]} better than {names[1]}: +{pair.difference.value:.3f}, 95 % interval +" in section


def test_components_are_there_for_statistics_and_for_papers(study, page):
    (found,) = analyze(study, table(study))
    lines = list(csv.DictReader(page.with_name("components.csv").open(encoding="utf-8")))
    assert [(one["metric"], one["source"], float(one["deviation"])) for one in lines] == [
        (metric.column.key, source, deviation)
        for metric in found.metrics
        for source, deviation in metric.effects.components.items()
    ]
    text = page.with_name("components.tex").read_text(encoding="utf-8")
    body = [line.strip() for line in text.splitlines() if line.endswith("\\\\")]
    assert {line.count(" & ") for line in body} == {len(found.metrics)}
    first = found.metrics[0]
    for source, deviation in first.effects.components.items():
        assert any(line.startswith(f"{source} & {100 * deviation:.2f} &") for line in body)


def test_the_page_has_both_sections(page):
    text = page.read_text()
    assert ">backbone + backbone x detection<" in text
    assert text.index('id="table"') < text.index('id="effects"') < text.index('id="comparisons"') < text.index('id="roc"')
    assert 'href="#effects"' in text
    assert "Seeds cannot be judged" in text


def test_one_cell_has_no_sections_and_old_files_go(make_study, page, tmp_path):
    page = shutil.copytree(page.parent, tmp_path / "report") / page.name
    single = make_study("single", axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    text = build(single, page.parent).read_text()
    assert 'id="effects"' not in text
    assert not page.with_name("effects.csv").exists()
    assert not page.with_name("comparisons.csv").exists()


def test_cells_that_differ_in_every_factor_have_comparisons_and_no_file_of_effects(make_study):
    axes = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}
    failed = [{"backbone": "alexnet", "detection": "mtcnn"}, {"backbone": "resnet34", "detection": "none"}]
    page = build(make_study(axes=axes, failed=failed, pairs=60, explainers=()))
    assert page.with_name("comparisons.csv").exists()
    assert not page.with_name("effects.csv").exists()
    assert "cannot be" in page.with_name("analysis.md").read_text()


def test_the_matrix_is_row_minus_column_best_first(study):
    (found,) = analyze(study, table(study))
    metric = found.metrics[0]
    values = [metric.comparisons.values[cell] for cell in metric.comparisons.order]
    rows = matrix(metric)
    assert values == sorted(values, reverse=True)
    for one, row in enumerate(rows):
        for other, (text, kind, about) in enumerate(row):
            if one == other:
                assert (text, kind) == ("", "self")
                continue
            assert float(text.replace("−", "-")) == pytest.approx(100 * (values[one] - values[other]), abs=0.005)
            assert kind in ("better", "worse", "equal", "open")
            assert "after Holm" in about
    assert ranked(found, metric)[0].endswith(f"{100 * values[0]:.2f} %")

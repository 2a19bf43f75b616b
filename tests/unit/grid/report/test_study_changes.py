"""Two studies compared, in words and on the command line."""

import json

from typer.testing import CliRunner

from grid.cli.main import app

AXES = {"backbone": ["alexnet", "resnet34"]}


def test_the_command_says_what_differs(make_study):
    one = make_study("a", axes=AXES, pairs=400, explainers=())
    other = make_study("b", axes={**AXES, "detection": ["mtcnn"]}, pairs=400, explainers=())
    shown = CliRunner().invoke(app, ["compare", str(one.path), str(other.path)])
    assert shown.exit_code == 0, shown.output
    assert "levels of detection: no such axis -> mtcnn" in shown.output
    assert "detector.name: none -> mtcnn (in 2 of 2 cells)" in shown.output
    assert "Code: no difference" in shown.output
    assert "AUC on lfw view 2: 1 of 2 tested cells differ" in shown.output
    assert "Where a cell was trained once" in shown.output
    found = json.loads(CliRunner().invoke(app, ["compare", str(one.path), str(other.path), "--json"]).output)
    auc = [change for change in found["results"] if change["metric"] == "auc"]
    assert [change["levels"] for change in auc] == [{"backbone": "alexnet"}, {"backbone": "resnet34"}]
    line = next(text for text in shown.output.splitlines() if text.strip().startswith("alexnet: 0."))
    assert f"{auc[0]['first']:.3f} -> {auc[0]['second']:.3f}, {auc[0]['second'] - auc[0]['first']:+.3f} [" in line


def test_equal_studies_say_so(make_study):
    one, other = (make_study(name, axes=AXES, pairs=60, explainers=()) for name in ("a", "b"))
    shown = CliRunner().invoke(app, ["compare", str(one.path), str(other.path)])
    assert "Settings: no difference" in shown.output
    results = shown.output.partition("Results\n")[2].split("\n")
    assert results[:2] == ["  all 5 metrics on lfw view 2: the same computation in 2 cells", ""]

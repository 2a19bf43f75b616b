"""Claims in the report and on the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grid.cli.main import app
from grid.ledger.study import Study
from grid.report.build import build
from grid.spec.grid_file import BadInput

CLAIMS = Path(__file__).resolve().parents[4] / "configs" / "claims"
AXES = {"detection": ["none", "mtcnn"]}
TEXT = """
source: "[a](b) <i>"
claims:
  - claim: detection | helps <b>
    order: [{detection: mtcnn}, {detection: none}]
"""


@pytest.fixture
def study(make_study):
    return make_study(axes=AXES, pairs=100, explainers=())


def test_the_report_judges_claims_and_escapes_their_text(study, tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text(TEXT)
    page = build(study, claims=file)
    content = json.loads(page.with_name("report.json").read_text())
    (record,) = content["claims"]
    assert (record["claim"], record["metric"]) == ("detection | helps <b>", "ten_fold")
    effect = next(one for one in content["effects"] if (one["metric"], one["level"]) == ("ten_fold", "mtcnn"))
    assert record["steps"][0]["value"] == pytest.approx(2 * effect["effect"])  # two levels: the difference is twice the effect
    text = page.with_name("claims.md").read_text()
    assert "detection \\| helps" in text
    assert record["verdict"] in text
    html = page.read_text()
    assert "helps &lt;b&gt;" in html
    assert 'id="claims"' in html
    assert "Verdicts hold for other pairs of images, with these trained networks." in html
    again = build(study)
    assert not again.with_name("claims.md").exists()  # no claims, no outdated verdicts
    assert 'id="claims"' not in again.read_text()


def test_launch_claims_is_the_default_and_a_mistake_in_it_ends_no_report(study, tmp_path, caplog):
    file = tmp_path / "claims.yaml"
    file.write_text(TEXT)
    record = json.loads((study.path / "plan.json").read_text())
    (study.path / "plan.json").write_text(json.dumps({**record, "launch": {"claims": str(file)}}))
    assert build(Study(study.path)).with_name("claims.md").exists()
    file.write_text("claims: [{claim: a, below: 1, metric: aux}]")
    assert not build(Study(study.path)).with_name("claims.md").exists()
    assert "launch.claims: claim 'a': no metric 'aux'" in caplog.text
    with pytest.raises(BadInput, match="no metric 'aux'"):
        build(Study(study.path), claims=file)


def test_the_command_judges_a_table_and_a_study(study, tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text(TEXT)
    shown = CliRunner().invoke(app, ["claims", str(CLAIMS / "ito2021.yaml"), str(CLAIMS / "ito2021_table1.csv")])
    assert shown.exit_code == 0
    assert "SUPPORTED: most networks have an equal error rate below 10 % (EER)" in shown.output
    as_data = CliRunner().invoke(app, ["claims", str(file), str(study.path), "--json"])
    assert [one["metric"] for one in json.loads(as_data.output)["claims"]] == ["ten_fold"]

"""``facegrid figures`` writes what the report shows."""

from typer.testing import CliRunner

from grid.cli.main import app


def test_figures_are_written_as_svg_and_pdf(make_study, tmp_path):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=100, explainers=())
    shown = CliRunner().invoke(app, ["figures", str(study.path), "--to", str(tmp_path / "out")])
    assert shown.exit_code == 0, shown.output
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert [name for name in names if name.startswith("det")] == ["det-lfw-view-2.pdf", "det-lfw-view-2.svg"]
    assert "DET curves on lfw view 2." in " ".join(shown.output.split())

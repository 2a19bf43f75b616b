"""Names with escape sequences, markup and foreign scripts: a launch on an ASCII terminal runs, and shows them as text."""

from pathlib import Path

import yaml
from launching import Facegrid
from small import SMALL

AXES = {"rate [bold]": {"\x1b[31mlow": {"recipe.lr": 0.01}, "hö[/bold]h": {"recipe.lr": 0.2}}}
BASE = {**SMALL["base"], "recipe": {"name": "one_cycle", "lr": 0.1, "epochs": 1}}
ON_ASCII = """
import sys
sys.stdout.reconfigure(encoding="ascii", errors="strict")
sys.stderr.reconfigure(encoding="ascii", errors="backslashreplace")
from facegrid import main
main()
"""  # as under PYTHONIOENCODING=ascii
PROTOCOLS = [{"name": "drawn", "subjects": 20, "shots": 8, "folds": 5, "label": "[/red] 顔"}]


def test_a_launch_and_its_report_on_an_ascii_terminal(tmp_path: Path) -> None:
    grid = {**SMALL, "base": BASE, "axes": AXES, "protocols": PROTOCOLS, "explainers": []}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid), encoding="utf-8")
    launch = ["launch", "grid.yaml", "launch.executor=local"]
    for words in (["plan", "grid.yaml"], launch, ["status", "studies/small"], ["report", "studies/small"]):
        with Facegrid(tmp_path, *words, program=ON_ASCII) as run:
            assert run.wait() == 0, run.said
        said = run.log.read_bytes()
        assert said.isascii()
        assert b"\x1b" not in said
        assert b"Traceback" not in said
        assert b"?[31mlow" in said
        assert b"ho[/bold]h" in said
        assert b"ate [bold]" in said
    page = (tmp_path / "studies/small/report/index.html").read_text(encoding="utf-8")
    assert "顔" in page

"""A launch in a folder with packages called like ours, with components from a package of the user's own."""

import shutil
from pathlib import Path

import pytest
from launching import GRIDS, ROOT, Facegrid
from small import SMALL, write

from facegrid import OWN_PACKAGES


@pytest.mark.slow
def test_workers_take_our_packages_and_the_users_components(tmp_path: Path) -> None:
    for name in OWN_PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('the user has {name}')\n", encoding="utf-8")
    (tmp_path / "mylab").mkdir()
    shutil.copy(ROOT / "modules/recipes/one_cycle.py", tmp_path / "mylab/steps.py")
    source = (tmp_path / "mylab/steps.py").read_text(encoding="utf-8")
    (tmp_path / "mylab/steps.py").write_text(source.replace('"one_cycle"', '"mylab.steps"'), encoding="utf-8")
    recipe = {"name": "mylab.steps", "lr": 0.01, "epochs": 1}
    write(tmp_path / "mine.yaml", {"recipe": recipe}, axes={"seed": {"a": {"seed": 1}}}, explainers=[])
    assert SMALL["base"]["recipe"] != recipe
    with Facegrid(tmp_path, "launch", "mine.yaml", fresh=True, PYTHONPATH=f".:{GRIDS}:{ROOT}") as run:
        assert run.wait() == 0, run.said
    with Facegrid(tmp_path, "plan", "mine.yaml", fresh=True, PYTHONPATH=f".:{GRIDS}:{ROOT}") as run:
        assert run.wait() == 0, run.said
        assert "1 cell: 1 done" in run.said

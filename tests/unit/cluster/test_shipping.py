"""What travels to the nodes of a cluster: the checkout or, where facegrid is installed, its own packages and nothing else."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from cluster.shipping import EXCLUDED, working_dir

ROOT = Path(__file__).resolve().parents[3]
SHIP = "import json, pathlib, sys; import facegrid; from cluster.shipping import working_dir; "
SHIP += "print(json.dumps(working_dir(pathlib.Path(sys.argv[1]))))"
USE = "import facegrid; facegrid.pin_packages(); import grid.report.page as one; print(one.__file__)"


def python(code: str, path: Path, *arguments: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=path.parent, check=True, capture_output=True, text=True).stdout


def files(folder: Path) -> set[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in paths if "__pycache__" not in path}


def test_a_checkout_is_shipped_as_it_is_without_environments_and_studies(tmp_path: Path) -> None:
    assert working_dir(tmp_path) == {"working_dir": str(ROOT), "excludes": list(EXCLUDED)}
    assert not list(tmp_path.iterdir())


def test_passwords_beside_the_compose_file_are_neither_shipped_nor_committed_nor_part_of_an_image(tmp_path: Path) -> None:
    from ray._private.runtime_env.packaging import _zip_files

    for name in ("cluster/compose.yaml", "cluster/.env", ".env", "facegrid.py"):
        (tmp_path / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / name).write_text("MINIO_ROOT_PASSWORD=canary", encoding="utf-8")
    _zip_files(tmp_path / "code", list(EXCLUDED), tmp_path / "code.zip", include_parent_dir=False, include_gitignore=True)
    assert set(zipfile.ZipFile(tmp_path / "code.zip").namelist()) >= {"cluster/compose.yaml", "facegrid.py"}
    assert not [name for name in zipfile.ZipFile(tmp_path / "code.zip").namelist() if name.endswith(".env")]
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "**/.env" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_an_installed_facegrid_ships_its_own_packages_alone(tmp_path: Path) -> None:
    site, scratch = tmp_path / "site-packages", tmp_path / "scratch"
    for folder in (site / "torch", site / "facegrid-0.1.0.dist-info", scratch):
        folder.mkdir(parents=True)
        (folder / "large.bin").write_bytes(bytes(1000))
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    for name in wheel["only-include"]:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, site / name)
    installed = files(site) - {"torch/large.bin", "facegrid-0.1.0.dist-info/large.bin"}
    shipped = json.loads(python(SHIP, site, scratch))
    assert shipped == {"working_dir": str(scratch / "facegrid")}
    assert files(scratch / "facegrid") == installed
    assert "grid/report/page.html" in installed
    shutil.rmtree(site)
    assert python(USE, scratch / "facegrid").strip() == str(scratch / "facegrid/grid/report/page.py")

"""facegrid's packages are facegrid's, whatever lies in the current folder or on PYTHONPATH."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import facegrid
from configs.lookup import OWN
from facegrid import OWN_PACKAGES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def users_folder(tmp_path: Path) -> Path:
    """A folder with a package or a module of each of our names, and with a package of another name."""
    for name in OWN_PACKAGES[:-1]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('the user has {name}')\n", encoding="utf-8")
    (tmp_path / f"{OWN_PACKAGES[-1]}.py").write_text("raise RuntimeError('the user has a module')\n", encoding="utf-8")
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab/__init__.py").write_text("WHO = 'user'\n", encoding="utf-8")
    return tmp_path


def python(program: str, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", program]  # puts the current folder first on the path, as a notebook does
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("path", ["", ".", f".{os.pathsep}{ROOT}", f"{ROOT}{os.pathsep}."])
def test_packages_of_a_user_do_not_replace_ours_and_others_are_found(users_folder: Path, path: str) -> None:
    program = (
        "import sys\n"
        f"sys.path.append({str(ROOT)!r})\n"
        "import facegrid, grid.spec.cell, configs.lookup, cluster.shipping, modules, datamodules, mylab\n"
        "print(mylab.WHO, *{grid.__path__[0], configs.__path__[0], modules.__path__[0]}, sep='\\n')"
    )
    done = python(program, users_folder, path)
    assert done.returncode == 0, done.stderr
    who, *places = done.stdout.splitlines()
    assert who == "user"
    assert set(places) == {str(ROOT / name) for name in ("grid", "configs", "modules")}


def test_a_package_that_was_imported_before_is_named(users_folder: Path) -> None:
    (users_folder / "configs/__init__.py").write_text("", encoding="utf-8")
    done = python(f"import sys, configs; sys.path.append({str(ROOT)!r}); import facegrid", users_folder, "")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith(
        f"ImportError: facegrid has a package 'configs', and another one is already imported from {users_folder}"
    )


def test_the_command_runs_beside_packages_of_a_user(users_folder: Path) -> None:
    program = f"import sys; sys.path.append({str(ROOT)!r}); sys.argv[1:] = ['--version']; from facegrid import main; main()"
    done = python(program, users_folder, ".")
    assert (done.returncode, done.stdout.split()[0]) == (0, "facegrid"), done.stderr


def test_pinning_twice_changes_nothing() -> None:
    before = list(sys.meta_path)
    facegrid.pin_packages()
    assert sys.meta_path == before


def test_every_folder_of_sources_is_pinned_and_shipped() -> None:
    import tomllib

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["only-include"]) == sorted(["facegrid.py", *OWN_PACKAGES])
    assert OWN_PACKAGES == OWN
    assert sorted(place.parent.name for place in ROOT.glob("*/__init__.py")) == sorted(OWN_PACKAGES)


def test_the_import_is_quick_and_loads_nothing_heavy() -> None:
    program = (
        "import sys, time; start = time.process_time(); import facegrid as fg; spent = time.process_time() - start\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'ray', 'mlflow', 'pandas'} & set(sys.modules)\n"
        "dir(fg.losses), repr(fg.explainers)\n"
        "print(spent, heavy or '', {'torch', 'ray', 'mlflow'} & set(sys.modules) or '')"
    )
    done = python(program, ROOT, str(ROOT))
    assert done.returncode == 0, done.stderr
    spent, *loaded = done.stdout.split()
    assert float(spent) < 0.3
    assert loaded == []


def test_every_public_name_is_there() -> None:
    assert {"Study", "datasets", "detectors", "explainers", "heads", "losses", "metrics", "plan", "read_grid"} <= set(
        dir(facegrid)
    )
    for name in dir(facegrid):
        assert getattr(facegrid, name) is not None


def test_packages_say_that_they_are_typed() -> None:
    assert [name for name in OWN_PACKAGES if not (ROOT / name / "py.typed").is_file()] == []

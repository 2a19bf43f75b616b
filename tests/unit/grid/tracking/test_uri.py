import importlib
import importlib.abc
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grid.ledger.study import Study, write_record
from grid.secrets import masked
from grid.spec.grid_file import BadInput
from grid.tracking.uri import quiet, tracking_of, tracking_uri

SERVER, DATABASE = "http://me:hunter2@host:5000", "postgresql://me:hunter2@host/db"
Kept = Callable[..., Study]
VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def kept(make_study: Callable[..., Study]) -> Callable[..., Study]:
    """``kept(uri)`` is a study whose launch named this address; its record has it without the password."""

    def made(uri: str, grid_file: Path | None = None) -> Study:
        study = make_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=(), tracking=masked(uri))
        return study if grid_file is None else of_grid_file(study, grid_file)

    return made


def of_grid_file(study: Study, path: Path) -> Study:
    write_record(study.path, {**study.record, "grid_file": str(path)})
    return Study(study.path)


@pytest.mark.parametrize("uri", [SERVER, DATABASE])
def test_a_password_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch, kept: Kept, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking_of(kept(uri)) == uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.replace("host", "another"))
    with pytest.raises(BadInput, match=r"launch\.tracking: .*MLFLOW_TRACKING_URI") as error:
        tracking_of(kept(uri))
    assert "hunter2" not in str(error.value)
    assert "was not found; set" in str(error.value), "no grid file is known"


@pytest.mark.parametrize("uri", [SERVER, DATABASE])
def test_a_password_is_found_in_the_grid_file(make, kept: Kept, tmp_path: Path, uri: str) -> None:
    grid = make(launch={"study": str(tmp_path / "study"), "tracking": uri})
    assert tracking_of(kept(uri, grid.yaml_source.path)) == uri
    with pytest.raises(BadInput, match=r"absent\.yaml"):
        tracking_of(kept(uri, tmp_path / "absent.yaml"))


def test_a_server_is_asked_with_the_name_and_password_that_mlflow_reads(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    assert tracking_of(kept(SERVER)) == "http://host:5000"
    with pytest.raises(BadInput, match=r"the whole address$"):
        tracking_of(kept(DATABASE))  # a database is not asked in that way


@pytest.mark.parametrize("password", ["hunt/er2", "hunt@er2", "hunt#er2", "hunt?er2"])
def test_a_password_that_no_parser_understands_is_refused_without_being_shown(tmp_path: Path, password: str) -> None:
    with pytest.raises(BadInput, match="%2F") as error:
        tracking_uri(f"http://me:{password}@host", tmp_path)
    assert "er2" not in str(error.value)


@pytest.mark.parametrize("uri", ["sqlite:///:memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:?cache=shared"])
def test_a_database_without_a_file_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(BadInput, match=r"names no file, so runs would be lost; use sqlite:////absolute"):
        tracking_uri(uri, tmp_path)


@pytest.mark.parametrize("uri", ["http://host:5000?token=hunter2", "https://host/#hunter2", "http://me:x@host/?a=hunter2"])
def test_an_address_with_a_query_or_a_fragment_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(BadInput, match=r"has a part after \? or #") as error:
        tracking_uri(uri, tmp_path)
    assert "hunter2" not in str(error.value)
    assert tracking_uri("postgresql://host/db?sslmode=require", tmp_path)


def test_a_study_keeps_no_password(make, tmp_path: Path) -> None:
    from grid.execution.launch import write_plan
    from grid.plan.plan import make_plan

    grid = make(launch={"study": str(tmp_path / "study"), "tracking": SERVER})
    write_plan(make_plan(grid), grid)
    assert not [path for path in (tmp_path / "study").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_a_request_does_not_search_the_disk_for_a_package_of_databricks() -> None:
    """It did five times per request, a quarter of the processor time of a pass to a server."""
    quiet()
    from mlflow.tracking.request_header.registry import resolve_request_headers

    searched: list[str] = []

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            searched.append(name)

    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        resolve_request_headers()
        with pytest.raises(ImportError):
            importlib.import_module("facegrid_is_searched")
    finally:
        sys.meta_path.remove(finder)
    assert "dbruntime" not in searched
    assert "facegrid_is_searched" in searched, "the finder sees searches"

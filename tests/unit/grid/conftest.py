"""Grids, plans, studies and networks for the tests of this folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from invented_study import build_study
from small import write

from grid.ledger.study import Study
from grid.plan.plan import make_plan
from grid.spec.grid_file import BadInput, Grid, read


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Grid]:
    """``make("recipe.lr=0.1", axes=...)`` reads the small grid with such overrides and parts; see ``small.write``."""

    def make(*overrides: str, base: Mapping[str, Any] | None = None, **parts: Any) -> Grid:
        parts.setdefault("launch", {"study": str(tmp_path / "study")})
        return read(write(tmp_path / "grid.yaml", base, **parts), overrides)

    return make


@pytest.fixture
def refused(make: Callable[..., Grid]) -> Callable[..., str]:
    """Plans what ``make`` makes of its arguments, which must be refused; the one line of complaint."""

    def refused(*overrides: str, **parts: Any) -> str:
        with pytest.raises(BadInput) as error:
            make_plan(make(*overrides, **parts))
        assert "\n" not in str(error.value)
        return str(error.value)

    return refused


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """``make_study(failed=[{"backbone": "alexnet"}], ...)`` builds ``tmp_path / name`` and opens it; see ``build_study``."""

    def make(name: str = "ito2021", **options: Any) -> Study:
        return build_study(tmp_path / "studies" / name, **options)

    return make


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small exported network; its study lies beside it. Tests only read both."""
    from once import once
    from small_export import exported

    from grid.export.package import read_package

    return read_package(once(tmp_path_factory, "exported", lambda folder: exported(folder / "here")) / "here" / "model")

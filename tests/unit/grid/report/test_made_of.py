"""The digest of what a report is made of: equal while nothing changes, different as soon as anything does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invented_study import build_study

from grid.ledger.study import Study
from grid.report import made_of as module
from grid.report.build import build
from grid.report.made_of import digest_of, made_of, record_without_states

AXES = {"backbone": ["alexnet", "resnet34"]}
SKIPPED = [{"backbone": "alexnet"}]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """One finished cell and a skipped one."""
    return build_study(tmp_path / "studies/one", axes=AXES, skipped=SKIPPED, pairs=20, images=1, explainers=())


def rewrite(study: Study, change: Callable[[dict[str, Any]], object]) -> Study:
    """The study after a change of its record."""
    path = study.path / "plan.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    return Study(study.path)


def files(study: Study, name: str) -> list[Path]:
    return sorted((study.path / "store").rglob(name))


def test_it_is_the_same_while_nothing_changes(study: Study) -> None:
    first = made_of(study)
    assert first is not None
    assert len(first) == 64
    assert made_of(Study(study.path)) == first


def written_again(study: Study) -> object:
    (path, *_) = files(study, "done-000.json")
    return path.write_bytes(path.read_bytes())


CHANGES: dict[str, Callable[[Study], object]] = {
    "a marker is written again, with the same bytes": written_again,
    "an output is lost": lambda study: files(study, "*.parquet")[0].unlink(),
    "a stage has one more file": lambda study: (files(study, "done-000.json")[0].parent / "void-000.json").write_text("{}"),
    "the store has another id": lambda study: (study.path / "store/store.json").write_text("{}"),
    "an axis has one more level": lambda study: rewrite(study, lambda record: record["axes"]["backbone"].append("vgg16")),
    "a cell is skipped for another reason": lambda study: rewrite(
        study, lambda record: record["cells"][0].update(reason="too large")
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_it_changes_with_the_study(study: Study, change: Callable[[Study], object]) -> None:
    before = made_of(study)
    change(study)
    assert made_of(Study(study.path)) not in (before, None)


def test_it_changes_with_the_data(study: Study, tmp_path: Path) -> None:
    image = tmp_path / "faces/a/1.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"face")
    study = rewrite(
        study, lambda record: record["cells"][1]["config"].update(data={"name": "folder", "root": str(tmp_path / "faces")})
    )
    found = [made_of(study)]
    image.write_bytes(b"fact")
    found.append(made_of(study))
    image.with_name("2.jpg").write_bytes(b"")
    found.append(made_of(study))
    assert None not in found
    assert len(set(found)) == 3


def test_it_changes_with_the_code_and_the_libraries(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grid/__pycache__").mkdir(parents=True)
    (tmp_path / "grid/page.html").write_text("one")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "OWN", ("grid",))
    found = [made_of(study)]
    (tmp_path / "grid/page.html").write_text("two")
    found.append(made_of(study))
    (tmp_path / "site/numpy-2.1.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    found.append(made_of(study))
    assert None not in found
    assert len(set(found)) == 3
    (tmp_path / "grid/__pycache__/page.pyc").write_text("compiled")
    assert made_of(study) == found[-1]
    within = tmp_path / "site-packages/ray/thirdparty_files"
    (within / "psutil-7.2.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(within)  # as Ray does when it starts
    assert made_of(study) == found[-1]
    (tmp_path / "site-packages/ray-2.60.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    assert made_of(study) != found[-1]


def test_its_own_files_are_there() -> None:
    code = list(module._code())
    assert any(one.startswith(str(module.ROOT / "facegrid.py")) for one in code)
    assert {f"{place}/" for place in module.OWN[1:]} <= {f"{Path(one).relative_to(module.ROOT).parts[0]}/" for one in code}
    assert any("page.html" in one for one in code)


def test_states_of_the_plan_do_not_count_and_reports_do_not_read_them(study: Study) -> None:
    """A launch records the states before it runs; the next one finds the same cells done."""
    before, page = made_of(study), build(study)
    made = {path.name: path.read_bytes() for path in page.parent.iterdir()}

    def change(record: dict[str, Any]) -> None:
        for one in [*record["stages"], *(cell for cell in record["cells"] if cell["id"])]:
            one.update(state="failed", reason="as it was")

    changed = rewrite(study, change)
    assert changed.record != study.record
    assert made_of(changed) == before
    assert {path.name: path.read_bytes() for path in build(changed).parent.iterdir()} == made


def test_cells_keep_their_order() -> None:
    cells = [{"id": None, "state": "skipped"}, {"id": "a", "state": "run"}]
    first, second = (record_without_states({"cells": one, "stages": []}) for one in (cells, cells[::-1]))
    assert first["cells"] == [{"id": None, "state": "skipped"}, {"id": "a"}]
    assert first["cells"] == second["cells"][::-1]


def test_where_it_cannot_be_told_there_is_none(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    own = rewrite(
        study,
        lambda record: record["cells"][1]["config"].update(loss={"name": "sum", "terms": [{"loss": {"name": "my.loss"}}]}),
    )
    assert made_of(own) is None
    plain = rewrite(study, lambda record: record["cells"][1]["config"].update(loss={"name": "softmax"}))
    assert made_of(plain) is not None
    most = module.FILES * len(plain.record["stages"])
    monkeypatch.setattr(module, "MOST_FILES", most)
    assert made_of(plain) is None, "there are more files than these"
    monkeypatch.setattr(module, "digest_of", lambda *found: "never called")
    assert made_of(plain) is not None
    monkeypatch.setattr(module, "MOST_FILES", most - 1)
    assert made_of(plain) is None, "nothing was looked at"


def test_a_link_that_leads_back_is_no_endless_folder(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path)
    assert digest_of([tmp_path]) is None

import json
import shutil

import pytest

from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.ledger.study_store import check_store, store_entry, store_path
from grid.report.build import build
from grid.results.status import status
from grid.spec.grid_file import BadInput


def recorded(study, store):
    """The study again, with a record as a launch writes it today."""
    record = json.loads((study.path / "plan.json").read_text()) | store_entry(study.path, store)
    (study.path / "plan.json").write_text(json.dumps(record))
    return study.path


@pytest.fixture
def small(make_study):
    return make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())


def refused(path):
    with pytest.raises(BadInput) as error:
        Study(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_studies_that_begin_in_one_store_at_once_know_one_id(tmp_path, monkeypatch):
    store, others, get = tmp_path / "store", [], LocalStore.get

    def another_begins(self, key):
        found = get(self, key)
        if not others:
            others.append(None)
            others[0] = store_entry(tmp_path / "another", store)
        return found

    monkeypatch.setattr(LocalStore, "get", another_begins)
    assert store_entry(tmp_path / "study", store)["store_id"] == others[0]["store_id"]


def test_a_store_inside_the_study_is_recorded_relative_and_moves_with_it(small):
    path = recorded(small, small.path / "store")
    assert json.loads((path / "plan.json").read_text())["store"] == "store"
    moved = path.rename(path.with_name("renamed"))
    assert [cell["state"] for cell in status(Study(moved))["cells"]] == ["done"]
    assert build(Study(moved)).is_relative_to(moved)


def test_a_store_elsewhere_is_recorded_absolute(small, tmp_path):
    outside = (small.path / "store").rename(tmp_path / "big disk")
    moved = (path := recorded(small, outside)).rename(path.with_name("renamed"))
    assert Study(moved).store == outside
    assert Study(moved).cells[0].state == "done"


def test_a_store_that_is_not_mounted_is_refused_and_the_good_report_stays(small, tmp_path):
    outside = (small.path / "store").rename(tmp_path / "disk")
    path = recorded(small, outside)
    page = build(Study(path)).read_bytes()
    outside.rename(tmp_path / "unplugged")
    assert f"no folder {outside}" in refused(path)
    outside.mkdir()  # a mount point with nothing mounted
    assert f"{outside} has no readable store.json" in refused(path)
    assert (path / "report/index.html").read_bytes() == page


def test_an_older_study_that_was_renamed_is_refused_with_the_key_to_set(small):
    moved = small.path.rename(small.path.with_name("renamed"))  # its record has an absolute path and no id
    assert f'"store": "{"store"}"' in refused(moved)
    record = json.loads((moved / "plan.json").read_text()) | {"store": "store"}
    (moved / "plan.json").write_text(json.dumps(record))
    assert Study(moved).cells[0].state == "done"


def test_a_launch_refuses_a_store_that_lacks_the_results_of_the_study(small, tmp_path):
    outside = (small.path / "store").rename(tmp_path / "disk")
    path = recorded(small, outside)
    record = json.loads((path / "plan.json").read_text())
    check_store(path, outside, record)
    mounted = outside.rename(tmp_path / "unplugged")
    with pytest.raises(BadInput, match=rf"key store: no folder {outside}, where .*; mount it, or .*--new-store"):
        check_store(path, outside, record)
    check_store(path, tmp_path / "elsewhere", record)  # chosen by launch.store=
    outside.mkdir()
    with pytest.raises(BadInput, match=r"has no readable store\.json .* and is empty; mount the right one, or .*--new-store"):
        check_store(path, outside, record)
    (outside / "store.json").write_text('{"id": "fedcba9876543210"}')
    with pytest.raises(BadInput, match=r"is another store \(id fedcba9876, not .*--new-store"):
        check_store(path, outside, record)
    (mounted / "store.json").write_text("{")  # damaged, but the results are there
    shutil.rmtree(outside)
    mounted.rename(outside)
    check_store(path, outside, record)


def test_the_store_of_another_study_in_its_place_is_refused(small, make_study):
    other = make_study("other", axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    path, other_path = recorded(small, small.path / "store"), recorded(other, other.path / "store")
    shutil.rmtree(path / "store")
    shutil.copytree(other_path / "store", path / "store")
    assert "is another store" in refused(path)


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"id": 3}'])
def test_a_damaged_store_id_is_refused_until_a_launch_writes_it_again(small, damage):
    path = recorded(small, small.path / "store")
    record = json.loads((path / "plan.json").read_text())
    (path / "store/store.json").write_bytes(damage)
    assert "no readable store.json" in refused(path)
    assert store_entry(path, path / "store", record["store_id"]) == {"store": "store", "store_id": record["store_id"]}
    assert Study(path).cells[0].state == "done"


def test_two_studies_of_one_store_record_one_id(tmp_path):
    first, second = (store_entry(tmp_path / name, tmp_path / "shared") for name in ("a", "b"))
    assert first == second
    assert store_path(tmp_path / "a", first) == tmp_path / "shared"


@pytest.mark.parametrize("text", ["[]", "null", '"plan"', '{"grid": "x"}', "{"])
def test_a_plan_of_another_form_is_one_clear_line(small, text):
    (small.path / "plan.json").write_text(text)
    assert "plan.json" in refused(small.path)

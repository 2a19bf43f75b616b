"""What ``facegrid data list`` says."""

from pathlib import Path

import pytest

from configs.lookup import known, lookup
from grid.cli.datasets import describe

LISTS = {"sllfw", "calfw", "cplfw", "xqlfw", "agedb30", "lookalike"}


def test_every_dataset_and_every_list_of_pairs_says_what_it_needs_its_terms_and_where_it_comes_from() -> None:
    rows = describe()
    assert {row["name"] for row in rows if row["kind"] == "data"} == set(known("data"))
    assert {row["name"] for row in rows if row["kind"] == "protocol"} >= LISTS
    for row in rows:
        assert all(row[key] for key in ("about", "needs", "terms", "origin")), row


@pytest.mark.parametrize("name", ["vggface2", "casia", "agedb", "cfp", "recordio", "fairface", "utkface", "ijb", "bin"])
def test_absent_data_says_whom_to_ask_and_what_must_lie_where(name: str, tmp_path: Path) -> None:
    config = lookup("data", name)(root=tmp_path / "nothing")
    missing = str(config.missing())
    assert str(tmp_path / "nothing") in missing
    assert config.origin in missing
    assert config.needs in missing

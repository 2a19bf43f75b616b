"""What ``facegrid data list`` says."""

from pathlib import Path

import pytest

from configs.lookup import known, lookup
from grid.data import component, dataset, describe
from grid.spec import BadInput

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


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ([], "dataset lfw: key 'root' is needed; it needs root: the folder with images/"),
        (["root"], "'root': write key=value"),
        (["root=[1"], "'root=[1': the value is no YAML (expected ',' or ']', but got '<stream end>'); quote it"),
        (["rot=x"], "dataset lfw: unknown key 'rot'; did you mean 'root'?"),
        (["root=x", "min_images=many"], "dataset lfw: min_images: input should be a valid integer"),
    ],
)
def test_a_wrong_setting_of_a_dataset_is_one_clear_line(settings: list[str], complaint: str) -> None:
    with pytest.raises(BadInput) as error:
        dataset("lfw", settings)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{name: lfw", "data '{name: lfw': no YAML (expected ',' or '}', but got '<stream end>')"),
        ("lfw", "data 'lfw': key 'root' is needed; it needs root: "),
        ("{name: drawn, person: 3}", "unknown key 'person'; did you mean 'persons'?"),
        ("{name: lfx}", "unknown data 'lfx'; did you mean 'lfw'?"),
        ("[lfw]", "a data is a mapping with a name"),
    ],
)
def test_a_wrong_component_of_a_data_command_is_one_clear_line(text: str, complaint: str) -> None:
    with pytest.raises(BadInput) as error:
        component("data", text)
    assert complaint in str(error.value)
    assert "pydantic" not in str(error.value)

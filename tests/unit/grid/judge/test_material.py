"""What networks are judged on."""

import pytest

from configs.lookup import resolve
from grid.judge.material import FACES, material
from grid.spec.grid_file import BadInput


@pytest.mark.parametrize("name", FACES)
def test_every_short_form_is_a_protocol(name: str) -> None:
    protocols, faces = material([f"{name}=/data/x=y"], flip_test=True)
    for one in protocols:
        found = resolve("protocol", one)
        assert "/data/x=y" in str(found)
        assert found.flip_test  # type: ignore[attr-defined]
    assert faces == FACES[name]


def test_a_protocol_is_written_as_in_a_grid_file() -> None:
    assert material(["{name: drawn, subjects: 9}"], False) == ([{"name": "drawn", "subjects": 9}], "similarity")


@pytest.mark.parametrize(
    "texts", [["ijbb=/b"], ["lfw=/a", "ijbc=/b"], ["{name: ijb, root: /b}"], ["{name: ijb_search, root: /b}", "folder=/a"]]
)
def test_landmarks_of_a_list_are_used_where_there_is_one(texts: list[str]) -> None:
    assert material(texts, False)[1] == "listed"


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["lfv=/data"], "did you mean 'lfw'"),
        (["lfw="], "write name=path"),
        (["{name: ["], "--on '{name: \\['"),
        (["lfw=/a", "bin=/b"], "are judged in two calls"),
    ],
)
def test_other_words_are_refused(texts: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        material(texts, False)

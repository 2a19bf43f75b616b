"""A label that keeps its parts."""

import json
import pickle

import pytest

from grid.spec.stage_name import StageName, named


@pytest.mark.parametrize("parts", [("train",), ("evaluate", "lfw: view 1"), ("score", "cam:shallow", "sanity"), ("a.b", "x")])
def test_a_label_keeps_its_parts_through_a_record_and_a_pickle(parts: tuple[str, ...]) -> None:
    name = StageName(*parts)
    record = json.loads(json.dumps({"names": {name: [name.kind, *name.titles]}}))
    for found in (named(record, ":".join(parts)), pickle.loads(pickle.dumps(name))):
        assert found == name == ":".join(parts)
        assert (found.kind, found.titles, found.about) == (parts[0], parts[1:], ":".join(parts[1:]))


def test_a_record_without_names_is_read_all_the_same() -> None:
    assert named({}, "score:cam:shallow:sanity").titles == ("cam:shallow", "sanity")
    assert named({}, "evaluate:lfw: view 1").titles == ("lfw: view 1",)
    assert named({}, "train").titles == ()

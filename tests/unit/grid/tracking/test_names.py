import posixpath
import re

import pytest

from grid.spec.stage_kind import StageName
from grid.tracking.names import KEY, file_segment, safe, segment, stage_key

# What MLflow 2.9 and 2.15 check of a key (mlflow/utils/validation.py of these releases); later ones allow colons too.
OLD_SERVERS = re.compile(r"[/\w.\- ]*")
NASTY = [
    "test (a)", "test [a]", "test _a_", "test -a-", "a(b)%", "a/b", "a//b", "/a/b", "a/b/", "../x/y", "x/y", "..", ".", "",
    "a:b", "width (px)", "width [px]", "l" * 250 + "1", "l" * 250 + "2", "l" * 250, "über", "顔:1", "a\tb", "a\nb", "a b",
    " a b",
    "a b.",
]  # fmt: skip


def taken(key: str) -> bool:
    """Whether every MLflow server takes this key."""
    path = posixpath.normpath(key)
    return bool(OLD_SERVERS.fullmatch(key)) and path == key and path != "." and not path.startswith(("..", "/"))


@pytest.mark.parametrize("make", [safe, segment, lambda name: stage_key(StageName("evaluate", name))])
def test_every_server_takes_the_keys_and_no_two_names_share_one(make) -> None:
    keys = [make(name) for name in NASTY]
    assert [key for key in keys if not taken(key) or len(key) > KEY] == []
    assert len(set(keys)) == len(NASTY)


@pytest.mark.parametrize("name", ["lfw view 1/eer", "train_loss", "width-px.2", "über"])
def test_a_name_that_mlflow_takes_stays_as_it_is(name: str) -> None:
    assert safe(name) == name


def test_a_segment_has_no_slash_and_makes_no_hidden_file() -> None:
    assert not any("/" in segment(name) or segment(name).startswith(".") for name in NASTY)


def test_a_stage_key_shows_the_label() -> None:
    assert stage_key(StageName("train")) == "train"
    assert stage_key(StageName("evaluate", "lfw view 1")) == "evaluate/lfw view 1"
    assert stage_key(StageName("score", "gradcam", "insertion")) == "score/gradcam/insertion"


def test_a_file_keeps_its_suffix_when_its_name_is_changed() -> None:
    names = [file_segment(name) for name in ("test (a).json", "test [a].json", "test _a_.json", "v1.2.parquet", "no suffix")]
    assert len(set(names)) == 5
    assert [name.endswith(".json") for name in names] == [True, True, True, False, False]
    assert names[2:] == ["test _a_.json", "v1.2.parquet", "no suffix"]

"""A store of a user's own, in one file outside the source tree, carries a launch from its plan to its report."""

import json
import sys
from pathlib import Path

import pytest
from launching import cells, grid, here

from grid.ledger.scratch import OWNED, _held

pytestmark = pytest.mark.timeout(900)

STORE = '''
"""Objects in a dictionary, as a bucket would keep them."""
from grid.ledger.store_interface import Stat, Store

OBJECTS = {}

class Bucket(Store):
    shared = False

    def __init__(self, url):
        self.url = url

    def get(self, key):
        return OBJECTS.get(key)

    def put(self, key, data):
        OBJECTS[key] = data

    def create(self, key, data):
        return OBJECTS.setdefault(key, data) is data

    def names(self, prefix):
        start = prefix + "/" if prefix else ""
        return sorted({key[len(start):].split("/")[0] for key in OBJECTS if key.startswith(start)})

    def stat(self, key):
        return Stat(len(OBJECTS[key]), str(hash(OBJECTS[key]))) if key in OBJECTS else None

    def delete(self, prefix):
        for key in [key for key in OBJECTS if key == prefix or key.startswith(prefix + "/")]:
            del OBJECTS[key]
'''
URL = "launch.store=own_stores.bucket://somewhere"


def test_a_launch_runs_over_a_store_of_a_user_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_stores").mkdir()
    (tmp_path / "own_stores/bucket.py").write_text(STORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path / "node"))

    def change(tree: dict) -> None:
        tree["axes"] = {"detection": {"mtcnn": {"detector.name": "mtcnn"}}, "pretraining": tree["axes"]["pretraining"]}
        del tree["skip"]

    file = grid(tmp_path / "tiny.yaml", change)
    said = here(tmp_path, "launch", file, URL, "launch.executor=local")
    assert "2 done" in said, said
    study = tmp_path / "studies/tiny"
    assert (study / "report/index.html").is_file()
    assert not (study / "store").exists(), "nothing of the ledger is on this disk"
    objects = sys.modules["own_stores.bucket"].OBJECTS
    kinds = {key.split("/")[0] for key in objects}
    assert {"detect", "pretrain", "train", "evaluate", "explain"} <= kinds
    told = json.loads(here(tmp_path, "status", study, "--json"))["cells"]
    assert [(cell["id"], cell["state"]) for cell in told] == [(cell["id"], "done") for cell in cells(study)]
    left = [file.name for folder in _held for file in folder.iterdir()]
    assert left in ([], [OWNED]), "scratch folders are gone, but for the empty one of this process"

    assert "0 stages to run" in here(tmp_path, "launch", file, URL, "launch.executor=local")
    (metrics,) = [key for key in objects if key.startswith("evaluate/") and key.endswith("metrics.json")][:1]
    before = objects[metrics]
    objects[metrics] = before.replace(b"0", b"1", 1)
    assert "1 stage to run" in here(tmp_path, "launch", file, URL, "launch.executor=local")
    again = [key for key in objects if key.split("/")[:2] == metrics.split("/")[:2] and key != metrics]
    made = [key for key in again if key.endswith("metrics.json")]
    assert [objects[key] for key in made] == [before], "the same numbers again"
    said = here(tmp_path, "launch", file, URL, "recipe.epochs=2", code=2)
    assert "Ray's processes do not see it; choose launch.executor=local" in said

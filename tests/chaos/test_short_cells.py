"""Short cells go to a process several at once: the one that kills it costs no other cell anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from launching import Store, cells, facegrid, grid, sound

pytestmark = pytest.mark.timeout(900)
COUNT, FATAL = 40, "30"
STUDY = Path("studies", "tiny")


def short(tree: dict[str, Any]) -> None:
    del tree["skip"], tree["explainers"], tree["protocols"]
    tree["base"]["augmentation"] = {"name": "components.idle"}
    tree["axes"] = {"number": {f"{number}": {"augmentation.number": number} for number in range(COUNT)}}
    tree["launch"] = {"resources": {"cpus": 1, "gpus": 0}, "retries": 1}


@pytest.mark.slow
def test_a_short_cell_that_kills_its_process_is_given_up_and_all_others_run_once(tmp_path: Path) -> None:
    store = Store(tmp_path / STUDY / "store")
    file = grid(tmp_path / "tiny.yaml", short)
    said = facegrid(tmp_path, "launch", file, code=1, FACEGRID_TEST_FATAL=FATAL)
    together = re.search(r"(\d+) units of work: their process or node was lost.*each goes on alone", said)
    assert together, said
    ids = {cell["levels"]["number"]: cell["stages"]["train"] for cell in cells(tmp_path / STUDY)}
    attempts = store.attempts()
    assert attempts.pop(("train", ids[FATAL])) == 3, "once together with others, which does not count, and twice alone"
    assert {count for (kind, _), count in attempts.items() if kind == "train"} == {1}
    assert {id for kind, id in store.contents() if kind == "train"} == set(ids.values()) - {ids[FATAL]}
    assert "lost too often" in said
    facegrid(tmp_path, "launch", file, "launch.executor=local", "--retry", "failed")
    assert store.attempts()["train", ids[FATAL]] == 4
    sound(tmp_path / STUDY)

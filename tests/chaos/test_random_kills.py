"""A driver, a worker, the raylet and the GCS are killed in turn; ``loops`` kills 25 of them at random."""

import random
from pathlib import Path
from typing import Any

import pytest
from killing import Kills

pytestmark = pytest.mark.timeout(1800)


def test_each_kind_of_process_is_killed_once_and_costs_nothing_that_was_finished(undisturbed: Any, tmp_path: Path) -> None:
    kills = Kills(undisturbed, tmp_path, random.Random(1))
    kills(["worker", "raylet", "driver", "gcs_server"])
    assert kills.killed == ["worker", "raylet", "driver", "gcs_server"]

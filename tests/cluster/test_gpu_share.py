"""A Ray with two GPUs that exist for its scheduler only: each unit of work has one of them, as ``gpus: auto`` places it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grid.execution import ray_tune
from grid.execution.ray_start import QUIET, reserved
from grid.execution.slots import Slots
from grid.spec.launch_settings import Launch, Resources

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[dict[str, float]]]:
    """The resources of the nodes: one, with 4 CPUs and 2 GPUs."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in QUIET.items():
            patch.setenv(key, value)
        patch.setenv("RAY_AUTH_MODE", "disabled")  # otherwise ray.init sets "token" for the rest of the process
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        import ray

        ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)
        try:
            yield [node["Resources"] for node in ray.nodes() if node["Alive"]]
        finally:
            ray.shutdown()


def seen(monkeypatch: pytest.MonkeyPatch, folder: Path, launch: Launch, resources: dict[str, float], count: int) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each of ``count`` units of work; each waits until two have begun."""
    from ray.tune import Callback
    from ray.tune.search import Searcher

    place = str(folder / "seen")
    os.mkdir(place)

    def work(config: dict[str, Any]) -> None:
        Path(place, config["id"]).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "not set"), encoding="ascii")
        limit = time.monotonic() + 60
        while len(os.listdir(place)) < 2 and time.monotonic() < limit:
            time.sleep(0.05)

    class Numbered(Searcher):  # type: ignore[misc]
        given = 0

        def suggest(self, trial_id: str) -> Any:
            if self.given == count:
                return Searcher.FINISHED
            self.given += 1
            return {"id": str(self.given)}

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            assert not error

        def save(self, checkpoint_path: str) -> None: ...

        def restore(self, checkpoint_path: str) -> None: ...

    monkeypatch.setattr(ray_tune, "_trial", work)
    ray_tune._tuner(launch, Slots(resources, []), folder, Numbered(metric="ended", mode="max"), None, Callback()).fit()
    return [path.read_text(encoding="ascii") for path in sorted(Path(place).iterdir())]


def test_two_units_of_work_at_once_have_a_gpu_each(
    nodes: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launch = Launch()
    assert launch.resources.gpus == "auto"
    resources = reserved(launch.resources, nodes)
    assert resources["GPU"] == 1
    assert sorted(seen(monkeypatch, tmp_path, launch, resources, 2)) == ["0", "1"]


def test_half_a_gpu_is_shared_and_none_is_hidden(
    nodes: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for gpus, wanted in ((0.5, {"0", "1"}), (0, {""})):
        folder = tmp_path / str(gpus)
        folder.mkdir()
        launch = Launch(resources=Resources(gpus=gpus))
        found = seen(monkeypatch, folder, launch, reserved(launch.resources, nodes), 2)
        assert len(found) == 2
        assert set(found) <= wanted

"""A launch whose ledger lies in a bucket, on Ray, with its driver killed half way; the bucket is on a loopback S3 server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bucket import new_bucket, s3_server
from launching import Facegrid, Store, facegrid, gone, here, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path / "node"))
    with s3_server() as environment:
        yield new_bucket(environment, monkeypatch)


@pytest.mark.slow
def test_a_killed_driver_costs_no_finished_stage_in_a_bucket(undisturbed: Any, tmp_path: Path, hold: Path, bucket: str) -> None:
    store, where = Store(bucket), f"launch.store={bucket}"
    with Facegrid(tmp_path, "launch", undisturbed.grid, where, "launch.concurrency=1", FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, _ = driver.until(store.half_trained)
        driver.kill()
        gone(driver.family)  # Ray's agents too, for which ``test_kill`` does not wait
    done, before = store.contents(), store.attempts()
    assert ("train", half) not in done
    hold.unlink()
    facegrid(tmp_path, "launch", undisturbed.grid, where, "launch.concurrency=1")
    after = store.attempts()
    assert {key: after[key] for key in done} == {key: before[key] for key in done}
    assert store.contents() == undisturbed.contents, "the numbers of a launch with its ledger on a disk"
    assert half in store.resumed(), "a training goes on from its checkpoint in the bucket"
    sound(tmp_path / STUDY)
    assert not (tmp_path / STUDY / "store").exists(), "nothing of the ledger is on this disk"
    files = [path.read_bytes() for path in (tmp_path / "studies").rglob("*") if path.is_file()]
    objects = [store.ledger.store.get(key) or b"" for key in store.ledger.store.walk("")]
    assert len(objects) > 50
    assert not any(b"test-secret-canary" in data for data in (*files, *objects)), "the key of the bucket is in no artifact"

    assert "0 stages to run" in here(tmp_path, "launch", undisturbed.grid, where, "launch.executor=local")
    freed = here(tmp_path, "prune", STUDY)
    assert "checkpoint" in freed
    assert store.contents() == undisturbed.contents
    assert "0 stages to run" in here(tmp_path, "launch", undisturbed.grid, where, "launch.executor=local")

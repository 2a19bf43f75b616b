"""MLflow on PostgreSQL goes away during two launches, the database with it, and comes back: both go on, and copy all of it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forked
import pytest
from launching import GRIDS, PATIENCE, PROGRAM, TINY, Store, cells, prepare, runs
from mlflow_server import Server
from postgres import Postgres, binaries

from grid.execution.background_sync import SYNC_SECONDS

pytestmark = pytest.mark.timeout(1800)
ONE = "head=narrow,detection=none,pretraining=none"
STUDY = Path("studies", "tiny")


def until(fact: Callable[[], object], what: str) -> None:
    limit = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < limit, what
        time.sleep(0.2)


def launched(folder: Path, tracking: str, hold: Path) -> tuple[int, str]:
    words = ("launch", str(TINY), f"launch.tracking={tracking}", "launch.executor=local", "--where", ONE)
    code, out, err = forked.ended(PROGRAM, folder, words, [str(GRIDS)], {"FACEGRID_TEST_HOLD": str(hold)})
    return code, out + err


@pytest.mark.slow
def test_two_launches_outlive_their_server_and_its_database(tmp_path: Path, hold: Path) -> None:
    if binaries() is None:
        pytest.skip("no PostgreSQL (Debian: apt-get install postgresql)")
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in (*folders, tmp_path / "server"):
        folder.mkdir()
        prepare(folder, ("launch",))
    stores = [Store(folder / STUDY / "store") for folder in folders]
    forked.run("", tmp_path)  # its imports take longer than all that follows
    with (
        Postgres("of-the-test") as database,
        Server(tmp_path / "server", None, database.uri, ("--serve-artifacts",)) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        ended = [pool.submit(launched, folder, server.address, hold) for folder in folders]
        try:
            until(lambda: all(store.half_trained() for store in stores), "both are half done, and stay so")
            until(lambda: all(runs_of(folder, server.address) for folder in folders), "both have begun to copy")
            server.stop()
            database.stop()
            time.sleep(SYNC_SECONDS + 2)  # both try to copy, and cannot
            assert not any(one.done() for one in ended), "a training does not care"
            database.start()
            server.start()
        finally:
            hold.unlink()
        for one in ended:
            code, said = one.result()
            assert code == 0, said
            assert "Traceback" not in said
            assert "cannot be reached" not in said, "at the end it was there again"
        for folder in folders:
            found = runs(folder / STUDY, server.address)
            (cell,) = [cell["id"] for cell in cells(folder / STUDY) if found.get(cell["id"])]
            assert [run.info.status for run in found[cell]] == ["FINISHED"]
            assert found[cell][0].data.metrics
    assert stores[0].contents() == stores[1].contents()
    assert set(stores[0].attempts().values()) == {1}
    assert len(stores[0].contents()) == 3


def runs_of(folder: Path, tracking: str) -> bool:
    try:
        return bool(runs(folder / STUDY, tracking))
    except AssertionError:  # no experiment yet
        return False

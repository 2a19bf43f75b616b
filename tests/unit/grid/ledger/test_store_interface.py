"""Every store that comes with the project passes the suite that users' stores have to pass."""

import sys
import uuid
from pathlib import Path

import pytest
from store_conformance import StoreConformance

from grid.ledger.memory_store import MemoryStore
from grid.ledger.store import LocalStore, open_store
from grid.ledger.store_interface import Store
from grid.spec.grid_file import BadInput

OWN = """
from grid.ledger.memory_store import MemoryStore
from grid.ledger.store_interface import Store

class Mine(MemoryStore):
    pass
"""


@pytest.fixture(autouse=True)
def node_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path / "node"))


class TestLocalStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path / "store")


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return open_store(f"memory://{uuid.uuid4().hex}")


def test_a_place_is_a_path_a_url_or_a_store(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert open_store(store) is store
    for place in (tmp_path, str(tmp_path), tmp_path.as_uri(), f"file://{tmp_path}"):
        found = open_store(place)
        assert isinstance(found, LocalStore)
        assert found.root == tmp_path, place
    assert open_store((tmp_path / "a b").as_uri()).place("c") == str(tmp_path / "a b" / "c")


def test_a_store_of_a_user_s_own_is_named_by_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_stores").mkdir()
    (tmp_path / "own_stores/mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = open_store("own_stores.mine://somewhere")
    assert isinstance(found, MemoryStore)
    assert type(found).__name__ == "Mine"
    assert found.url == "own_stores.mine://somewhere"
    del sys.modules["own_stores.mine"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://bucket/x", "unknown scheme 'ftp'"),
        ("no_such.module://x", "no module no_such.module can be imported"),
        ("grid.ledger.lock://x", "one class that derives from Store, found 0"),
    ],
)
def test_an_unknown_scheme_is_one_clear_line(url: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as error:
        open_store(url)
    assert f"launch.store {url}" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_was_written_since_the_pull_replaces_a_damaged_object_and_an_older_file_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = open_store(f"memory://{uuid.uuid4().hex}")
    for name in ("same", "short", "kept"):
        store.put(f"scans/{name}", b"damaged!")
    folder = store.pull("scans")
    (folder / "same").write_bytes(b"repaired")
    (folder / "short").write_bytes(b"repaired, and longer")
    store.put("scans/kept", b"sound, and longer")  # as if the file had been damaged on this machine before
    (folder / "new").write_bytes(b"1")
    store.push("scans")
    found = {name: store.get(f"scans/{name}") for name in store.names("scans")}
    assert found == {"kept": b"sound, and longer", "new": b"1", "same": b"repaired", "short": b"repaired, and longer"}
    monkeypatch.setattr(MemoryStore, "upload", None)
    store.push("scans")


def test_memory_stores_of_equal_names_share_their_objects() -> None:
    name = uuid.uuid4().hex
    open_store(f"memory://{name}").put("a", b"1")
    assert open_store(f"memory://{name}").get("a") == b"1"
    assert open_store(f"memory://{name}x").get("a") is None

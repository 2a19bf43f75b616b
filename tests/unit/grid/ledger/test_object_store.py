"""A bucket is a store: on a loopback S3 server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket import new_bucket, s3_server
from losing_proxy import losing_proxy
from store_conformance import StoreConformance

from grid.ledger.ledger import Ledger
from grid.ledger.lock import Held, Lock
from grid.ledger.object_store import ObjectStore
from grid.ledger.store import open_store
from grid.spec.grid_file import BadInput


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


class TestObjectStore(StoreConformance):
    @pytest.fixture
    def store(self, server: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ObjectStore:
        monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path / "node"))
        found = open_store(new_bucket(server, monkeypatch))
        assert isinstance(found, ObjectStore)
        return found

    def test_a_file_of_several_parts_is_uploaded_whole(self, store: ObjectStore, tmp_path: Path) -> None:
        data = bytes(range(256)) * (12 << 12)  # 12 MiB; a part has 5
        (tmp_path / "model.bin").write_bytes(data)
        store.upload(tmp_path / "model.bin", "a/model.bin")
        assert store.materialize("a/model.bin").read_bytes() == data

    def test_stores_under_other_prefixes_are_apart(self, store: ObjectStore) -> None:
        store.put("a", b"1")
        other = ObjectStore(f"{store.url}-b")
        assert other.names("") == []
        other.put("a", b"2")
        assert (store.get("a"), other.get("a")) == (b"1", b"2")

    def test_an_interrupted_creation_is_told_from_a_lost_one(self, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
        import obstore
        from obstore.exceptions import GenericError

        put = obstore.put

        def breaks(bucket: object, key: str, data: bytes, **more: object) -> None:
            if not key.endswith("never"):
                put(bucket, key, data, **more)
            raise GenericError("connection reset\n\nDebug source: ...")

        store.put("theirs", b"theirs")
        monkeypatch.setattr(obstore, "put", breaks)
        assert store.create("mine", b"mine")
        assert not store.create("theirs", b"mine")
        with pytest.raises(OSError, match=r"s3://.*/team/store/never: connection reset$"):
            store.create("never", b"mine")


@pytest.mark.parametrize("dropped", [False, True])
def test_what_was_created_is_known_as_ones_own_where_the_answer_was_lost(
    server: dict[str, str], monkeypatch: pytest.MonkeyPatch, dropped: bool
) -> None:
    """obstore repeats the request, and is told that the object exists."""
    url = new_bucket(server, monkeypatch)
    with losing_proxy(server["AWS_ENDPOINT_URL"], dropped) as (address, lost):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        store = open_store(url)
        assert store.create("a", b"mine")
        assert not store.create("a", b"theirs")
        with Lock(store, "one") as lock:
            lock.check()
            assert store.names("lock") == ["000001.beat", "000001.json"]
            with pytest.raises(Held, match="one by"):
                Lock(store, "two").__enter__()
        ledger = Ledger(store)
        attempt = ledger.begin("train", "0" * 64, {"seed": 1})
        assert attempt.number == 1
        assert [claim["token"] for claim in ledger.claims("train", "0" * 64)] == [attempt.token]
        assert attempt.finish({}, {}, "", []).attempt == attempt.folder
    ends = {path.rpartition("/")[2] for path in lost}
    assert {"a", "000001.json", "000001.free", "done-000.json", "identity.json"} <= ends


def test_a_bucket_that_cannot_be_used_is_one_line(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    new_bucket(server, monkeypatch)
    with pytest.raises(BadInput, match=r"^launch.store s3://nobody-has-this/x: there is no such bucket; make it"):
        open_store("s3://nobody-has-this/x")
    with pytest.raises(BadInput, match=r"^launch.store s3://: names no bucket; write s3://bucket/prefix$"):
        open_store("s3://")
    for wrong in ("127.0.0.1:5055", ""):
        monkeypatch.setenv("AWS_ENDPOINT_URL", wrong)
        with pytest.raises(BadInput, match=rf"^AWS_ENDPOINT_URL '{wrong}': expected http://host:port"):
            open_store(f"s3://wrong-endpoint/{len(wrong)}")
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with pytest.raises(BadInput, match=r"need the package obstore; pip install 'facegrid\[object-store\]'$"):
        open_store("s3://nobody-has-this/y")

"""The images of all-to-all verification."""

from configs.lookup import resolve
from datamodules.manifest import Manifest
from datamodules.protocols.all_pairs import AllPairsProtocolConfig


def test_subjects_with_one_image_count() -> None:
    keys = ("a/1", "a/2", "b/1", "c/1")
    manifest = Manifest(keys, ("a", "a", "b", "c"), (1,) * 4, (1,) * 4, tuple(f"{n:064x}" for n in range(4)))
    protocol = resolve("protocol", {"name": "all_pairs", "data": {"name": "drawn"}})
    assert isinstance(protocol, AllPairsProtocolConfig)
    found = protocol.clustering(manifest)
    assert found.rows.tolist() == [0, 1, 2, 3]
    assert found.labels.tolist() == [0, 0, 1, 2]

from datamodules.conflicts import conflicts, described, without
from datamodules.manifest import Manifest


def manifest(*rows):
    keys, identities, digests = zip(*rows, strict=True)
    return Manifest(keys, identities, (1,) * len(keys), (1,) * len(keys), digests)


def test_only_the_same_bytes_under_different_identities_are_a_conflict():
    found = manifest(("a/1", "a", "x"), ("a/2", "a", "x"), ("b/1", "b", "y"), ("b/2", "b", "z"))
    assert conflicts(found) == []
    found = manifest(("a/1", "a", "x"), ("a/2", "a", "x"), ("b/1", "b", "x"), ("b/2", "b", "z"), ("c/1", "c", "z"))
    assert conflicts(found) == [[0, 1, 2], [3, 4]]
    assert described(found, conflicts(found)) == "2 files are there under two identities, such as a/1 and b/1"


def test_all_images_of_a_conflict_are_left_out():
    found = manifest(("a/1", "a", "x"), ("a/2", "a", "y"), ("b/1", "b", "x"), ("b/2", "b", "z"))
    assert without(found, conflicts(found)).keys == ("a/2", "b/2")

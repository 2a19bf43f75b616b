import hashlib

import pytest

from datamodules.manifest import Manifest


def manifest(**changes):
    rows = {
        "keys": ("a/1", "a/2", "b/1"),
        "identities": ("a", "a", "b"),
        "widths": (4, 5, 6),
        "heights": (7, 8, 9),
        "digests": ("11", "22", "33"),
        "skipped": {"b/2": "truncated"},
    }
    return Manifest(**(rows | changes))


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one length"):
        manifest(widths=(4, 5))


def test_a_key_that_occurs_twice_is_named():
    with pytest.raises(ValueError, match="'a/1' twice"):
        manifest(keys=("a/1", "a/1", "b/1"))


def test_the_digest_is_the_hash_of_length_prefixed_rows():
    stream = b""
    for row in (("a/1", "a", "11"), ("a/2", "a", "22"), ("b/1", "b", "33")):
        for cell in row:
            stream += len(cell).to_bytes(8, "little") + cell.encode()
    assert manifest().digest == hashlib.sha256(stream).hexdigest()


@pytest.mark.parametrize(
    "change",
    [{"keys": ("a/1", "a/2", "b/9")}, {"identities": ("a", "b", "b")}, {"digests": ("11", "22", "34")}],
)
def test_keys_identities_and_bytes_count_in_the_digest(change):
    assert manifest(**change).digest != manifest().digest


def test_cells_that_run_together_do_not_collide():
    one = manifest(keys=("ab", "x", "y"), identities=("c", "a", "b"))
    other = manifest(keys=("a", "x", "y"), identities=("bc", "a", "b"))
    assert one.digest != other.digest


def test_skipped_images_are_no_part_of_the_digest():
    assert manifest(skipped={}).digest == manifest().digest


def test_order_is_part_of_the_digest():
    assert manifest().subset([1, 0, 2]).digest != manifest().digest


def test_a_subset_has_the_chosen_rows_in_the_chosen_order():
    part = manifest().subset([2, 0])
    assert (part.keys, part.identities, part.widths, part.heights) == (("b/1", "a/1"), ("b", "a"), (6, 4), (9, 7))
    assert part.index == {"b/1": 0, "a/1": 1}
    assert part.skipped == {"b/2": "truncated"}
    assert len(part) == 2

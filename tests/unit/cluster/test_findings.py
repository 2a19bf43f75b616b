"""What the facts of nodes mean: the findings and what they advise."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.findings import CLOCK, DRIVER, STORE, TEMPORARY, clock, disk, gpus, store, versions

SAME = {"python": "3.11.9", "ray": "2.60.0", "torch": "2.14.1"}


def test_equal_versions_are_one_finding_and_each_node_that_differs_is_another() -> None:
    (found,) = versions({DRIVER: SAME, "a": dict(SAME), "b": dict(SAME)})
    assert found.ok
    assert found.text == "equal on 2 nodes and the driver: 3 packages, python 3.11.9, ray 2.60.0"
    wrong = versions({DRIVER: SAME, "a": {**SAME, "torch": None}, "b": dict(SAME), "c": {**SAME, "ray": "2.59.0"}})
    assert [(one.node, one.ok, one.text) for one in wrong] == [
        ("a", False, "torch is missing, not 2.14.1"),
        ("c", False, "ray 2.59.0, not 2.60.0"),
    ]


def test_many_differing_versions_are_shortened() -> None:
    own = {str(number): "1" for number in range(5)}
    (found,) = versions({DRIVER: own, "a": dict.fromkeys(own, "2")})
    assert found.text == "0 2, not 1; 1 2, not 1; 2 2, not 1 and 2 more"


def test_gpus_that_ray_offers_must_be_seen_and_compute() -> None:
    card = {"name": "H100", "gib": 79.2, "error": None}
    (found,) = gpus("a", 2, [card, card])
    assert (found.ok, found.text) == (True, "2 x H100, 79.2 GiB")
    (fewer,) = gpus("a", 2, [card])
    assert (fewer.ok, fewer.text) == (False, "Ray offers 2, torch sees 1")
    (broken,) = gpus("a", 2, [card, {**card, "error": "ECC"}])
    assert (broken.ok, broken.text) == (False, "H100: ECC")
    (none,) = gpus("a", 0, [])
    assert (none.ok, none.text) == (True, "none")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_counts_as_wrong_only_beyond_the_uncertainty_of_the_measurement(sign: int) -> None:
    assert clock("a", sign * (CLOCK + 1), 2.0).ok
    found = clock("a", sign * (CLOCK + 3), 2.0)
    assert not found.ok
    assert found.text == f"8 s {'ahead of' if sign > 0 else 'behind'} the driver's"


def test_the_disk_of_the_store_needs_more_than_that_of_temporary_files() -> None:
    found = disk("a", {"/tmp": TEMPORARY, "/store": STORE}, "/store")
    assert [one.ok for one in found] == [True, True]
    found = disk("a", {"/tmp": TEMPORARY - 1, "/store": STORE - 1}, "/store")
    assert [one.ok for one in found] == [False, False]
    assert "TMPDIR" in str(found[0].do)
    assert "launch.store" in str(found[1].do)


def written(**first: bool) -> dict[str, dict[str, Any]]:
    return {node: {"error": None, "first": one} for node, one in first.items()}


def seen(**nodes: list[str]) -> dict[str, dict[str, Any]]:
    return {node: {"error": None, "seen": names} for node, names in nodes.items()}


def test_a_store_that_all_write_and_read_is_sound() -> None:
    (found,) = store("/s", written(driver=True, a=False), seen(driver=["driver", "a"], a=["driver", "a"]))
    assert found.ok
    assert found.text == "/s: written and read by 1 node and the driver, and created by one at a time"


def test_what_a_node_does_not_see_is_named() -> None:
    (found,) = store("/s", written(driver=True, a=False), seen(driver=["driver", "a"], a=["a"]))
    assert (found.ok, found.node) == (False, "a")
    assert found.text == "/s: does not show what driver wrote"


def test_a_node_that_cannot_write_is_not_missed_by_the_others() -> None:
    facts = {**written(driver=True), "a": {"error": "cannot be written (Read-only file system)", "first": False}}
    (found,) = store("/s", facts, {**seen(driver=["driver"]), "a": {"error": None, "seen": ["driver"]}})
    assert (found.ok, found.node) == (False, "a")
    assert "Read-only" in found.text


def test_a_bucket_is_not_mounted() -> None:
    facts = {**written(driver=True), "a": {"error": "cannot be written (no such bucket)", "first": False}}
    for place, mounted in (("/s", True), ("s3://team/s", False)):
        (found,) = store(place, facts, {**seen(driver=["driver"]), "a": {"error": None, "seen": ["driver"]}})
        assert ("mount" in str(found.do), "credentials" in str(found.do)) == (mounted, not mounted)


def test_two_nodes_that_created_one_object_are_a_fault_of_the_file_system() -> None:
    both = ["driver", "a"]
    (found,) = store("/s", written(driver=True, a=True), seen(driver=both, a=both))
    assert not found.ok
    assert found.text == "/s: 2 nodes created the same object (driver, a), but exactly one must"
    assert "link()" in str(found.do)
    (none,) = store("s3://team/s", written(driver=False, a=False), seen(driver=both, a=both))
    assert not none.ok
    assert none.text == "s3://team/s: 0 nodes created the same object, but exactly one must"
    assert "conditional writes" in str(none.do)


def test_a_node_that_cannot_read_is_named() -> None:
    facts = {**seen(driver=["driver", "a"]), "a": {"error": "cannot be read (Stale file handle)", "seen": []}}
    (found,) = store("/s", written(driver=True, a=False), facts)
    assert (found.node, found.text) == ("a", "/s: cannot be read (Stale file handle)")

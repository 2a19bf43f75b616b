"""The section ``launch``: places of stores, and amounts of resources. What else it refuses: ``test_refused_grid_files.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grid.spec.launch_settings import Launch


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("/data/a/", Path("/data/a")),
        ("file:///data/a%20b/", Path("/data/a b")),
        ("s3://team/face/store//", "s3://team/face/store"),
        ("gs://my-team.example.com/", "gs://my-team.example.com"),
        ("az://team/a..b/..c", "az://team/a..b/..c"),
        ("memory://a/../b", "memory://a/../b"),
        ("my_package.my_store://me@host/?x", "my_package.my_store://me@host/?x"),
    ],
)
def test_one_store_has_one_place(written: str, place: Path | str) -> None:
    """A store of one's own is given its URL as it is."""
    assert Launch.model_validate({"store": written}).store == place


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("team/../x", "the prefix '../x' has an empty part, '.' or '..'"),
        ("team/a/..", "the prefix 'a/..' has"),
        ("team/a/./b", "the prefix 'a/./b' has"),
        ("team/a//b", "the prefix 'a//b' has"),
        ("team//a", "the prefix '/a' has"),
        ("team/%2e%2E/a", "the prefix '%2e%2E/a' has"),
        ("team/a?region=x", "the URL has a '?', and what follows would be ignored"),
        ("team/a#b", "the URL has a '#'"),
        ("", "://bucket/prefix"),
        ("/a", "comes the name of a bucket alone"),
        ("../a", "comes the name of a bucket alone"),
        ("team:443/a", "without a user, password or port"),
        ("me:secret@team/a", "without a user, password or port"),
    ],
)
def test_a_url_of_a_bucket_that_would_be_read_as_another_one_is_refused(scheme: str, rest: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        Launch.model_validate({"store": f"{scheme}://{rest}"})
    message = error.value.errors()[0]["msg"]  # type: ignore[attr-defined]
    assert said in message
    assert "secret" not in message


@pytest.mark.parametrize("url", ["file://", "file:///", "file://data/a", "file://../a"])
def test_a_file_url_without_an_absolute_path_is_refused(url: str) -> None:
    """``data`` would be a host, which would be ignored."""
    with pytest.raises(ValueError, match="names no folder; write file:/// and its absolute path, or the path alone"):
        Launch.model_validate({"store": url})


@pytest.mark.parametrize("resources", ["resources", "stage_resources"])
@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"cpus": 0.00009}, "9e-05 is less than 0.0001, the smallest part of a resource that Ray knows"),
        ({"gpus": 0.00009}, "9e-05 is less than 0.0001"),
        ({"gpus": "0.00009"}, "9e-05 is less than 0.0001"),
        ({"memory_gib": 0.00009}, "9e-05 is less than 0.0001"),
        ({"custom": {"big": 0.00009}}, "9e-05 is less than 0.0001"),
        ({"custom": {"big": 1, "CPU": 1}}, "CPU is no custom resource; use the key cpus beside custom"),
        ({"custom": {"GPU": 0}}, "GPU is no custom resource; use the key gpus beside custom"),
        ({"custom": {"memory": 1}}, "memory is no custom resource; use the key memory_gib beside custom"),
        ({"custom": {"object_store_memory": 1}}, "object_store_memory is no custom resource; Ray does not reserve it"),
    ],
    ids=str,
)
def test_what_ray_cannot_reserve_or_has_a_key_of_its_own_is_refused(resources: str, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Launch.model_validate({resources: wanted if resources == "resources" else {"train": wanted}})


def test_the_smallest_part_of_a_resource_and_none_of_it_can_be_reserved() -> None:
    wanted = {"cpus": 0.0001, "gpus": 0, "custom": {"cpu": 0, "accelerator_type:H100": 0.0001}}
    found = Launch.model_validate({"resources": wanted, "stage_resources": {"train": {**wanted, "gpus": 0.0001}}})
    assert (found.resources.cpus, found.resources.gpus, found.resources_of("train").gpus) == (0.0001, 0, 0.0001)

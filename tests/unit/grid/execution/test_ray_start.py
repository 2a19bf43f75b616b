"""What a driver makes of a Ray that does not start, of temporary folders that Ray cannot use, and of tokens."""

import contextlib
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from grid.execution import ray_start
from grid.execution.ray_address import ASKS_FOR_TOKEN
from grid.execution.ray_start import (
    _authenticated,
    _check_resources,
    _connect,
    _start,
    _unusable,
    check_room,
    joined_lines,
    reserved,
    resource_words,
    temporary_folder,
)
from grid.execution.slots import Slots
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch, Resources


def test_a_launch_says_which_cluster_it_joined_and_warns_of_other_versions_and_of_one_that_is_another_program_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0, "memory": 1e9}]
    monkeypatch.setattr(ray, "__version__", "2.60.0")
    monkeypatch.setattr("platform.python_version", lambda: "3.11.7")
    same = {"ray_version": "2.60.0", "python_version": "3.11.7", "ray_init_cluster": False}
    joined = "joined Ray at 10.0.0.1:6379: 2 nodes with 12 CPU, 2 GPU; Ray 2.60.0, Python "
    assert joined_lines("10.0.0.1:6379", nodes, same) == [f"{joined}3.11.7"]
    first, said = joined_lines("10.0.0.1:6379", nodes, {**same, "python_version": "3.11.9"})
    assert first == f"{joined}3.11.9"
    assert said.startswith("warning: this process has Ray 2.60.0 and Python 3.11.7; use the versions of the cluster")
    (_, said) = joined_lines("10.0.0.1:6379", nodes, {**same, "ray_init_cluster": True})
    assert said.startswith("warning: another program has started this cluster for itself")
    assert joined_lines("a:1", nodes[1:], {}) == ["joined Ray at a:1: 1 node with 4 CPU, 0 GPU"]


@pytest.mark.parametrize(("late", "tries"), [(0, 1), (1, 2), (2, 2)])
def test_a_ray_that_starts_too_late_has_a_second_try_and_no_third(
    monkeypatch: pytest.MonkeyPatch, late: int, tries: int
) -> None:
    calls: list[dict[str, Any]] = []

    def init(**settings: Any) -> None:
        calls.append(settings)
        if len(calls) <= late:
            raise Exception("The current node timed out during startup. This could happen because ...")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    if late > 1:
        with pytest.raises(BadInput, match="within 30 s, twice"):
            _start(log_to_driver=False)
    else:
        _start(log_to_driver=False)
    assert [call["log_to_driver"] for call in calls] == [False] * tries


def test_another_error_of_ray_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**settings: Any) -> None:
        raise RuntimeError("no shared memory")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(RuntimeError, match="no shared memory"):
        _start()


def test_a_long_temporary_folder_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's sockets would have paths of more than 107 bytes."""
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr("tempfile.tempdir", None)
    found = Path(temporary_folder()["_temp_dir"])
    assert not found.is_relative_to(long)
    assert found.parent == Path("/tmp")


def test_the_default_is_left_to_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert temporary_folder() in ({}, {"_temp_dir": f"/tmp/ray-{os.getuid()}"})


@pytest.mark.parametrize(
    ("folder", "why"),
    [("/proc/ray", "cannot be written"), ("/tmp/" + "y" * 60 + "/ray", "bytes too long"), ("/none/ray", "cannot be written")],
)
def test_a_folder_that_ray_cannot_use_is_told_why(folder: str, why: str) -> None:
    assert why in str(_unusable(Path(folder)))


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5 << 20))
    monkeypatch.setenv("TMPDIR", "/tmp")
    with pytest.raises(BadInput, match=r"/tmp: 5 MiB free.*; set TMPDIR to a short path"):
        temporary_folder()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder without a token."""
    for key in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def token() -> tuple[str | None, str | None]:
    return os.environ.get("RAY_AUTH_MODE"), os.environ.get("RAY_AUTH_TOKEN")


def test_a_local_ray_has_a_token_that_is_written_nowhere(bare: Path) -> None:
    with _authenticated(None):
        mode, first = token()
        assert mode == "token"
        assert first is not None
        assert len(first) == 64
    assert token() == (None, None)
    assert list(bare.iterdir()) == []
    with _authenticated(None):
        assert token()[1] != first


@pytest.mark.parametrize(("why", "mode", "known"), [(ASKS_FOR_TOKEN, "token", False), (None, None, True)])
def test_a_driver_with_an_address_sends_the_token_that_there_is_if_the_cluster_asks_for_one(
    bare: Path, monkeypatch: pytest.MonkeyPatch, why: str | None, mode: str | None, known: bool
) -> None:
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(ray_start, "refusal", lambda address, **more: asked.append(more) or why)
    with _authenticated("head:6379"):
        assert token() == (None, None)
    (bare / ".ray").mkdir()
    (bare / ".ray" / "auth_token").write_text("abc")
    with _authenticated("head:6379") as answered:
        assert token() == (mode, None)
        assert answered is known
    assert asked == [{"RAY_AUTH_MODE": "disabled"}]


def test_a_head_that_does_not_answer_is_asked_once(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / ".ray").mkdir()
    (bare / ".ray" / "auth_token").write_text("abc")
    monkeypatch.setattr(ray_start, "refusal", lambda address, **more: "no answer")
    with pytest.raises(BadInput, match=r"launch\.address 'head:6379': no answer"), _authenticated("head:6379"):
        pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.61.0\n"),
            r"\(Version mismatch: The clu.*0\)",
        ),
        (RuntimeError("No node info found matching attributes: ''"), "no node of that cluster runs on this machine"),
        (ConnectionError("Failed to connect to Ray cluster"), "Ray cannot connect to it"),
        (ValueError("Invalid address format: x"), "Ray cannot connect to it"),
    ],
)
def test_errors_of_a_connection_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def init(**settings: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(BadInput, match=f"launch.address 'head:6379': .*{said}"):
        _connect(Launch(address="head:6379"), tmp_path, answered=True)


@pytest.mark.parametrize("chosen", [None, "chosen"])
def test_workers_on_this_machine_share_the_cache_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    """Their temporary files are removed after the launch; the cache is not."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("FACEGRID_NODE_CACHE", raising=False)
    if chosen is not None:
        monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path / chosen))
    started: list[dict[str, Any]] = []
    monkeypatch.setattr("grid.execution.ray_start._start", lambda **settings: started.append(settings))
    _connect(Launch(), tmp_path / "scratch")
    variables = started[0]["runtime_env"]["env_vars"]
    assert variables["TMPDIR"] == str(tmp_path / "scratch")
    assert variables["FACEGRID_NODE_CACHE"] == str(tmp_path / (chosen or f"facegrid-cache-{os.getuid()}"))


@pytest.mark.parametrize("address", [None, "auto", "127.0.0.1:1"])
def test_a_mode_that_ray_sets_does_not_outlive_the_connection(bare: Path, address: str | None) -> None:
    with _authenticated(address):
        os.environ["RAY_AUTH_MODE"] = "token"  # as ray.init does, except with an explicit address
    assert token() == (None, None)


def test_what_the_user_has_set_stays(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    for local in (True, False):
        with _authenticated(None if local else "head:6379"):
            assert token() == ("disabled", None)


GPU, CPU = {"CPU": 16.0, "GPU": 1.0}, {"CPU": 2.0}


@pytest.mark.parametrize(
    ("wanted", "nodes", "found"),
    [
        ({}, [CPU], {"CPU": 1}),
        ({}, [GPU], {"CPU": 1, "GPU": 1}),
        ({}, [CPU, GPU], {"CPU": 1, "GPU": 1}),
        ({}, [{"CPU": 2.0, "GPU": 0.0}], {"CPU": 1}),
        ({"gpus": "measured", "memory_gib": "measured"}, [GPU], {"CPU": 1, "GPU": 1}),
        ({"gpus": "auto", "memory_gib": 2}, [GPU], {"CPU": 1, "GPU": 1, "memory": 2 * 2**30}),
        ({"gpus": 0}, [GPU], {"CPU": 1}),
        ({"gpus": 0.25, "cpus": 2}, [GPU], {"CPU": 2, "GPU": 0.25}),
    ],
)
def test_gpus_are_used_where_there_are_any_unless_a_number_says_otherwise(
    wanted: dict[str, Any], nodes: list[dict[str, float]], found: dict[str, float]
) -> None:
    assert reserved(Resources.model_validate(wanted), nodes) == found


def test_a_word_other_than_auto_is_refused() -> None:
    with pytest.raises(ValueError, match="gpus"):
        Resources.model_validate({"gpus": "all"})
    with pytest.raises(ValueError, match="gpus"):
        Resources.model_validate({"gpus": -1})


def test_what_a_piece_of_work_has_is_said() -> None:
    assert resource_words({"CPU": 1, "GPU": 0.5}, 2) == "Ray on 2 nodes: each unit of work has 1 CPU, 0.5 GPU"
    assert resource_words({"CPU": 1, "GPU": 1}, 1) == "Ray on 1 node: each unit of work has 1 CPU, 1 GPU"
    assert (
        resource_words({"CPU": 2, "memory": 2**31}, None)
        == "Ray on this machine: each unit of work has 2 CPU, 2 GiB and no GPU"
    )


def test_resources_that_no_node_has_are_said_in_the_units_of_a_grid_file() -> None:
    node = {"CPU": 2.0, "memory": 14.0 * 2**30}
    _check_resources("launch.resources", {"CPU": 2, "memory": 14 * 2**30}, [node])
    with pytest.raises(BadInput) as refused:
        _check_resources("launch.resources", {"CPU": 1.0, "memory": 900 * 2**30}, [node, {"CPU": 4.0}, node])
    assert str(refused.value) == (
        "launch.resources: no node has 1 CPU, 900 GiB (there are 2 nodes with 2 CPU, 14 GiB; 1 node with 4 CPU, 0 GiB); "
        "lower the resources or add a node"
    )
    with pytest.raises(BadInput, match="there are no nodes"):
        _check_resources("launch.resources", {"CPU": 1.0}, [])


@pytest.mark.parametrize(
    ("launch", "needed", "complaint"),
    [
        (None, 3, "compute.devices is 3, and the nodes together have room for 2 times 1 CPU, 1 GPU (there are 2 nodes with "),
        ("auto", 1, None),
        ({"at_least": 2}, 2, None),
        ({"at_least": 3}, 3, "launch.devices is {at_least: 3}, and the nodes together have room for 2 times 1 CPU, 1 GPU"),
    ],
)
def test_a_training_that_the_nodes_have_no_room_for_is_refused(launch: Any, needed: int, complaint: str | None) -> None:
    found = Launch.model_validate({"devices": launch})
    slots = Slots({"CPU": 1.0, "GPU": 1.0}, [{"CPU": 4.0, "GPU": 1.0}] * 2)
    with pytest.raises(BadInput, match=re.escape(complaint)) if complaint else contextlib.nullcontext():
        check_room(slots, [(("train",), needed)], found)


def test_stages_of_one_unit_of_work_that_fit_no_node_together_are_refused() -> None:
    of_kinds = {"train": {"CPU": 1.0, "big": 0.5}, "evaluate": {"CPU": 2.0, "disk": 0.0}, "explain": {"CPU": 1.0, "disk": 0.5}}
    slots = Slots({"CPU": 1.0}, [{"CPU": 2.0, "big": 1.0}, {"CPU": 1.0, "disk": 1.0}], of_kinds)
    check_room(slots, [(("train", "evaluate"), 1), (("evaluate",), 1), (("explain",), 1)], Launch())
    with pytest.raises(BadInput) as refused:
        check_room(slots, [(("train", "evaluate"), 1), (("train", "explain"), 1)], Launch())
    assert str(refused.value) == (
        "launch.stage_resources: train, explain run in one process, and no node has what they need together: 1 CPU, 0.5 big, "
        "0.5 disk (there are 1 node with 2 CPU, 1 big, 0 disk; 1 node with 1 CPU, 0 big, 1 disk); lower the resources, or add "
        "a node that has all of them"
    )
    check_room(slots, [(("train",), 2)], Launch())
    with pytest.raises(BadInput, match=r"room for 1 times 2 CPU, 0.5 big .*, which train, evaluate need for each; lower"):
        check_room(slots, [(("train", "evaluate"), 2)], Launch())

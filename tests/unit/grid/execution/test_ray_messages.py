"""What becomes of the messages that Ray's processes send to a driver. The texts are those of Ray 2.60."""

from typing import Any

import pytest
import ray

from grid.execution.ray_messages import line_of, one_line_each

NODE = (
    "The node with node id: 08991d10665c3ba2e20a53fc8a81b80647cfa83c9c1bfd0f3086ecf2 and address: 192.0.2.2 and node name: "
    "192.0.2.2 has been marked dead because the detector has missed too many heartbeats from it. This can happen when a "
    "\t(1) raylet crashes unexpectedly (OOM, etc.) \n\t(2) raylet has lagging heartbeats due to slow network or busy workload."
)
NODE_LINE = (
    "Ray: The node with node id: 08991d10 and address: 192.0.2.2 and node name: 192.0.2.2 has been marked dead because the "
    "detector has missed too many heartbeats from it."
)
RAYLET = (
    "Raylet is terminated. Termination is unexpected. Possible reasons include: (1) SIGKILL by the user or system OOM killer, "
    "(2) Invalid memory access from Raylet causing SIGSEGV or SIGBUS, (3) Other termination signals. Last 20 lines of the "
    "Raylet logs:\n    [state-dump] \tNodeManager.GcsCheckAlive - 2 total (1 active), Execution time: mean = 2.59ms\n"
    "    [state-dump] DebugString() time ms: 0\n    [state-dump] \n"
)
WORKER = (
    "A worker died or was killed while executing a task by an unexpected system error. To troubleshoot the problem, check the "
    "logs for the dead worker. Lease ID: 030000001d25287f430ac77bb7b135db1a93871dec1b4a29d139a088ac8a772e Worker ID: "
    "4a13cf3e29a6daf0f62199f62c08dd39206032defacc21a1ca28b61a Worker PID: 24925 Worker exit type: SYSTEM_ERROR"
)
AUTOSCALER = (
    "Error: No available node types can fulfill resource request {'CPU': 64.0, 'GPU': 0.5}. Add suitable node types to this "
    "cluster to resolve this issue."
)
FAILED = (
    "The autoscaler failed with the following error:\nTraceback (most recent call last):\n"
    '  File "autoscaler.py", line 5, in update\n    raise ValueError("no quota")\nValueError: no quota\n'
)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (NODE, NODE_LINE),
        (RAYLET, ""),
        (WORKER, ""),
        (AUTOSCALER, "Ray: Error: No available node types can fulfill resource request {'CPU': 64.0, 'GPU': 0.5}."),
        (FAILED, "Ray: The autoscaler failed with the following error: ValueError: no quota"),
        (
            "2 Workers (tasks / actors) killed due to memory pressure (OOM), 0 Workers crashed due to other reasons at "
            "node (ID: aa7ce752d1aa084deed61ae4a5e4a7c09ce697dab7b367f8eb833e4b, IP: 192.0.2.2) over the last time period. To",
            "Ray: 2 Workers (tasks / actors) killed due to memory pressure (OOM), 0 Workers crashed due to other reasons at "
            "node (ID: aa7ce752, IP: 192.0.2.2) over the last time period.",
        ),
        (" \n", ""),
        ("x" * 1000, "Ray: " + "x" * 295),
    ],
)
def test_a_message_is_its_first_sentence_or_nothing(message: str, line: str) -> None:
    assert line_of(message) == line


def tell(*messages: str, pid: Any = "raylet") -> None:
    """As Ray's own thread prints messages."""
    for message in messages:
        ray._private.worker.print_to_stdstream({"lines": [message], "pid": pid, "is_err": False}, ignore_prefix=False)


def test_a_driver_says_each_line_once_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    before = ray._private.worker.print_to_stdstream
    with one_line_each(said.append):
        tell(RAYLET, NODE, RAYLET, NODE, AUTOSCALER)
    assert [line[:24] for line in said] == ["Ray: The node with node ", "Ray: Error: No available"]
    assert capsys.readouterr() == ("", "")
    assert ray._private.worker.print_to_stdstream is before


def test_what_others_say_is_left_to_ray(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    with one_line_each(said.append):
        tell("a line of a worker's own", pid=17)
    assert said == []
    assert "a line of a worker's own" in capsys.readouterr().out


def test_without_ray_s_printer_all_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("ray._private.worker.print_to_stdstream")
    with one_line_each(lambda line: None):
        assert not hasattr(ray._private.worker, "print_to_stdstream")
    assert not hasattr(ray._private.worker, "print_to_stdstream")

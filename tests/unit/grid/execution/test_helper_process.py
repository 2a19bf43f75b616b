"""A helper ends with the process that started it, whatever it is doing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = """
import time
import grid.execution.helper_process as process
from grid.stages.ranks import Report

def help_training(task):
    print("what a library prints")
    time.sleep(task["seconds"])
    return Report("ValueError: no face", "Traceback ...")

process.help_training = help_training
process.main({"seconds": %s})
"""


def started(seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM % seconds],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_a_helper_ends_when_its_input_is_closed_as_by_the_death_of_its_parent() -> None:
    process = started(300)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 1
    finally:
        process.kill()


def test_the_report_is_all_that_it_prints() -> None:
    process = started(0)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.read())  # its input is still open
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert said == {"error": "ValueError: no face", "traceback": "Traceback ...", "consequence": False, "lost": False}

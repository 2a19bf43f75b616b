"""``make gpu`` ends with one line on a machine that cannot run it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def asked(*flags: str, **environment: str) -> tuple[int, str]:
    command = [sys.executable, *flags, "tests/gpu/ready.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("flags", "environment", "words"),
    [
        (("-S",), {}, "has no PyTorch; set PYTHON"),  # -S: without installed packages
        ((), {"CUDA_VISIBLE_DEVICES": ""}, "finds no CUDA device"),
    ],
)
def test_what_is_missing_is_one_line(flags: tuple[str, ...], environment: dict[str, str], words: str) -> None:
    code, said = asked(*flags, **environment)
    assert code == 1
    assert words in said
    assert said.count("\n") == 1


def test_the_cpu_can_try_the_tests() -> None:
    assert asked(FACEGRID_GPU_DEVICE="cpu", CUDA_VISIBLE_DEVICES="") == (0, "")

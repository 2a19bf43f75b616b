"""Runs an ONNX file once, in a process of its own: a network of unknown origin may crash, hang or ask for all memory.

This file is also the program of that process, so at its top it imports nothing of facegrid.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

MEMORY = 6 << 30  # bytes of address space that the trial may use
SECONDS = 120


def trial(path: Path, input_name: str, shape: tuple[int, ...], memory: int = MEMORY, seconds: int = SECONDS) -> dict[str, Any]:
    """Output name -> shape, of one run on gray noise.

    Args:
        path: an ONNX file that ``onnx_files.inspect`` has accepted
        input_name: of the images
        shape: of the batch

    Raises:
        ValueError: ONNX Runtime rejects the file; it needs too much memory or time; it crashes. One line.
    """
    facts = path.stat()
    return dict(_trial(path, facts.st_mtime_ns, facts.st_size, input_name, shape, memory, seconds))


@cache
def _trial(
    path: Path, _: int, __: int, input_name: str, shape: tuple[int, ...], memory: int, seconds: int
) -> tuple[tuple[str, list[int]], ...]:
    asked = json.dumps({"path": str(path), "input": input_name, "shape": shape, "memory": memory})
    try:
        ended = subprocess.run(
            [sys.executable, "-P", __file__, asked], capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{path}: one image takes longer than {seconds} seconds; the network is not run") from error
    if ended.returncode == 0:
        return tuple(json.loads(ended.stdout.splitlines()[-1]).items())
    if ended.returncode == 1 and ended.stdout.strip():
        raise ValueError(f"{path}: ONNX Runtime cannot run it ({ended.stdout.strip().splitlines()[-1]})")
    raise ValueError(
        f"{path}: the trial process ended with status {ended.returncode} on one image, so the network is not run; it may need "
        f"more than {memory >> 20:,} MiB of memory"
    )


def main(asked: dict[str, Any]) -> int:
    """Prints the shapes of the outputs as JSON; returns 1 after printing one line about an error."""
    import resource

    import numpy as np
    import onnxruntime

    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(asked["path"], options, providers=["CPUExecutionProvider"])
        images = np.random.default_rng(0).uniform(-1, 1, asked["shape"]).astype(np.float32)
        names = [one.name for one in session.get_outputs()]
        found = session.run(None, {asked["input"]: images})
        sys.stdout.write(json.dumps({name: list(np.shape(one)) for name, one in zip(names, found, strict=True)}) + "\n")
    except MemoryError:
        sys.stdout.write(f"more than {asked['memory'] >> 20:,} MiB of memory are needed\n")
        return 1
    except Exception as error:  # ONNX Runtime has an exception for each of its states
        sys.stdout.write(" ".join(str(error).split())[:300] + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

"""Runs an ONNX file in a process of its own: a network of unknown origin may crash, hang or ask for all memory.

The process has limits of memory and time, writes no file, and ends with its parent. This file is also its program, so at its
top it imports nothing of facegrid. Both sides send bytes, never pickles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ONE_IMAGE = 6 << 30  # bytes of address space for one image
MEMORY = 12 << 30  # for a batch
SECONDS = 120.0  # for a batch of n images: SECONDS + n * SECONDS_PER_IMAGE, opening the file included
SECONDS_PER_IMAGE = 5.0
MOST = 1 << 30  # bytes of the embeddings of a batch that are read
CLOSING = 5.0  # seconds that a process without work gets to end


class OnnxProcess:
    """An open ONNX file in a process of its own; ended when this object is.

    Args:
        path: a file that ``onnx_files.inspect`` has accepted
        outputs: names of the outputs that are computed; empty: all
        threads: of one run
        memory: bytes of address space that the process may use
        seconds, each: a batch of n images may take seconds + n * each
    """

    def __init__(
        self,
        path: Path,
        outputs: Sequence[str] = (),
        threads: int = 1,
        memory: int = MEMORY,
        seconds: float = SECONDS,
        each: float = SECONDS_PER_IMAGE,
    ) -> None:
        self.path, self.memory, self.seconds, self.each = path, memory, seconds, each
        self._connection, theirs = Pipe()
        asked = {
            "path": str(path), "outputs": list(outputs), "threads": threads, "memory": memory,
            "pipe": theirs.fileno(), "owner": os.getpid(),
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, json.dumps(asked)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.close = weakref.finalize(self, _end, self._process, self._connection, os.getpid())

    def run(self, input_name: str, images: np.ndarray) -> dict[str, np.ndarray]:
        """Output name -> float32 array, of a batch.

        Args:
            input_name: of the images
            images: float32, the batch as the network takes it

        Raises:
            ValueError: ONNX Runtime rejects the file or the batch; it needs too much memory or time; it crashes. One line.
        """
        import numpy as np

        shapes = self._ask(input_name, images, values=True)
        try:
            return {
                name: np.frombuffer(self._connection.recv_bytes(MOST), np.float32).reshape(shape)
                for name, shape in shapes.items()
            }
        except (EOFError, OSError) as error:
            raise self._crashed(len(images)) from error

    def shapes(self, input_name: str, images: np.ndarray) -> dict[str, list[int]]:
        """Output name -> shape, of a batch; raises as ``run``."""
        return self._ask(input_name, images, values=False)

    def _ask(self, input_name: str, images: np.ndarray, values: bool) -> dict[str, list[int]]:
        import numpy as np

        if not self.close.alive:
            raise ValueError(f"{self.path}: its process has ended, so the network is not run again")
        allowed = self.seconds + self.each * len(images)
        try:
            self._connection.send_bytes(json.dumps({"input": input_name, "shape": images.shape, "values": values}).encode())
            self._connection.send_bytes(np.ascontiguousarray(images, np.float32).data.cast("B"))
            if not self._connection.poll(allowed):
                self._process.kill()
                self.close()
                many = "one image takes" if len(images) == 1 else f"{len(images)} images take"
                raise ValueError(f"{self.path}: {many} longer than {allowed:g} seconds; the network is not run")
            said = json.loads(self._connection.recv_bytes(MOST))
        except (EOFError, OSError) as error:
            raise self._crashed(len(images)) from error
        if "error" in said:
            raise ValueError(f"{self.path}: ONNX Runtime cannot run it ({said['error']})")
        found: dict[str, list[int]] = said["shapes"]
        return found

    def _crashed(self, images: int) -> ValueError:
        self.close()
        return ValueError(
            f"{self.path}: its process ended with status {self._process.wait()} on {images} image{'s' if images > 1 else ''}, "
            f"so the network is not run; it may need more than {self.memory >> 20:,} MiB of memory"
        )


def _end(process: subprocess.Popen[bytes], connection: Connection, owner: int) -> None:
    """Closes the connection, at whose end the process ends; kills it if it does not."""
    if os.getpid() != owner:  # a copy of the object in a forked process
        return
    connection.close()
    try:
        process.wait(CLOSING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(asked: dict[str, Any]) -> int:
    """Answers batches until the other side closes: JSON about the outputs or an error, then the bytes of each output."""
    import resource
    import threading
    import time

    def watch() -> None:
        while os.getppid() == asked["owner"]:  # it may have been killed before this line
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    import numpy as np
    import onnxruntime

    connection = Connection(asked["pipe"])
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    session: Any = None
    while True:
        try:
            head = json.loads(connection.recv_bytes())
            images = np.frombuffer(connection.recv_bytes(), np.float32).reshape(head["shape"])
        except EOFError:
            return 0
        try:
            if session is None:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads, options.inter_op_num_threads = asked["threads"], 1
                options.log_severity_level = 4
                session = onnxruntime.InferenceSession(asked["path"], options, providers=["CPUExecutionProvider"])
            names = asked["outputs"] or [one.name for one in session.get_outputs()]
            found = session.run(names, {head["input"]: images})
            shapes = {name: np.shape(one) for name, one in zip(names, found, strict=True)}
            sent = [np.ascontiguousarray(one, np.float32).tobytes() for one in found] if head["values"] else []
            said: dict[str, Any] = {"shapes": shapes}
        except MemoryError:
            said, sent = {"error": f"more than {asked['memory'] >> 20:,} MiB of memory are needed"}, []
        except Exception as error:  # ONNX Runtime has an exception for each of its states
            said, sent = {"error": " ".join(str(error).split())[:300]}, []
        for message in (json.dumps(said).encode(), *sent):
            connection.send_bytes(message)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

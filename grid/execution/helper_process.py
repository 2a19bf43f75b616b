"""The process of a helper on this machine, started by ``grid.execution.local_helpers``."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from grid.execution.child_process import answers, on_lines
from grid.execution.helper import help_training


def main(task: Mapping[str, Any]) -> None:
    """Helps and writes the report to stdout. Ends at once when the process that started it ends, however that happens."""
    out = answers()
    threading.Thread(target=on_lines, args=(lambda line: None,), daemon=True).start()
    json.dump(asdict(help_training(task)), out)
    out.flush()
    os._exit(0)  # the thread above waits for input

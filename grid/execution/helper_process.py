"""The process of a helper on this machine, started by ``grid.execution.local_helpers``."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from grid.execution.helper import help_training


def main(task: Mapping[str, Any]) -> None:
    """Helps and writes the report to stdout. Ends at once when the process that started it ends, however that happens."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no report
    threading.Thread(target=_end_with_parent, daemon=True).start()
    json.dump(asdict(help_training(task)), out)
    out.flush()
    os._exit(0)  # the thread above waits for input


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)

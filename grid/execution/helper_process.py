"""The process of a helper on this machine, started by ``grid.execution.local_helpers``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from grid.execution.child_process import conversation
from grid.execution.helper import help_training


def main(task: Mapping[str, Any]) -> None:
    """Helps and writes the report to stdout. Ends at once when the process that started it ends, however that happens."""
    say, _ = conversation()
    say(asdict(help_training(task)))
    os._exit(0)

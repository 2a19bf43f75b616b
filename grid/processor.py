"""The name of this machine's processor."""

from __future__ import annotations

import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor(path: Path = CPUINFO) -> str:
    """The name of the CPU, from Linux's description of it; without it, the kind of machine, such as ``arm64``."""
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    except OSError:
        match = None
    return match[1].strip() if match else platform.machine() or "unknown processor"

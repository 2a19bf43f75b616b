"""axe-core, Deque's checker of accessibility, from the npm registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from chrome import Tab

VERSION = "4.14.1"
GRAVE = ("serious", "critical")


def axe_core(folder: Path) -> str:
    """The script of axe-core; without npm the test is skipped, and where npm cannot get it, too, except in CI."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm (Debian: apt-get install npm)")
    command = [npm, "pack", "--silent", "--cache", str(folder / "cache"), f"axe-core@{VERSION}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"npm has no axe-core {VERSION}: {done.stderr[-300:]}")
    with tarfile.open(folder / f"axe-core-{VERSION}.tgz") as packed:
        script = packed.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def violations(tab: Tab, script: str) -> dict[str, list[str]]:
    """Rule -> what breaks it, for the serious and critical violations of the page that a tab shows."""
    tab.js(f"{script}; 0")
    found: list[dict[str, Any]] = json.loads(tab.js("axe.run().then((found) => JSON.stringify(found.violations))"))
    return {
        one["id"]: [f"{node['html'][:160]}: {node['failureSummary']}" for node in one["nodes"]]
        for one in found
        if one["impact"] in GRAVE
    }

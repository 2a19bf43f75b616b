"""The `data` commands: which datasets there are, and whether one on disk is whole."""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from configs.lookup import known, lookup, nearest
from grid.spec import BadInput


def describe() -> list[dict[str, str]]:
    """Every dataset with the first line of its file's documentation."""
    found = []
    for name in known("data"):
        about = (inspect.getdoc(sys.modules[lookup("data", name).__module__]) or "").splitlines()
        found.append({"name": name, "about": about[0] if about else ""})
    return found


def check(name: str, settings: Sequence[str], console: Console) -> dict[str, Any]:
    """Reads every image of a dataset: counts, digest, and what is bad.

    Raises:
        BadInput: no such dataset, wrong settings, or the data is absent.
    """
    if name not in known("data"):
        raise BadInput(f"no dataset {name!r}{nearest(name, known('data'))}")
    values: dict[str, Any] = {"name": name, "on_bad_image": "skip"}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign:
            raise BadInput(f"{setting!r}: write key=value, such as root=data/{name}")
        values[key] = yaml.safe_load(text)
    try:
        data: Any = lookup("data", name).model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"dataset {name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if missing := data.missing():
        raise BadInput(str(missing))
    with tempfile.TemporaryDirectory(prefix="facegrid-check-") as folder, Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"reading {name}")
        try:
            manifest = data.scan(Path(folder), lambda done, total: progress.update(task, completed=done, total=total))
        except ValueError as error:
            raise BadInput(str(error)) from error
    return {
        "dataset": name,
        "whole": not manifest.skipped,
        "images": len(manifest.keys),
        "persons": len(set(manifest.identities)),
        "digest": manifest.digest,
        "bad": dict(manifest.skipped),
    }

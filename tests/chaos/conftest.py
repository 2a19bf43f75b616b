"""The undisturbed launch that every disturbed one must equal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from launching import Store, facegrid, grid


@dataclass(frozen=True)
class Undisturbed:
    """``grid``: the file; ``study``: where it ran; ``contents``: what every launch of it must leave."""

    grid: Path
    study: Path
    contents: dict[tuple[str, str], str]


def plain(tree: dict[str, Any]) -> None:
    """Three cells, two of which are alone and one of which waits for a pretraining."""
    del tree["axes"]["detection"]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    file = grid(folder / "tiny.yaml", plain)
    facegrid(folder, "launch", file)
    study = folder / "studies" / "tiny"
    contents = Store(study / "store").contents()
    assert sorted(kind for kind, _ in contents) == ["evaluate"] * 3 + ["explain"] * 3 + ["pretrain"] + ["train"] * 3
    return Undisturbed(file, study, contents)

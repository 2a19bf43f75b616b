"""Locates the store with a study's results, also after the study or the store has moved.

``plan.json`` records the store's location (relative to the study if it lies inside) and its id; the store keeps the id in
``store.json``. This distinguishes a missing store, an empty mount point and another study's store from a study without results.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grid.ledger.store import open_store
from grid.ledger.store_interface import Store
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import SHOWN_ID

NAME = "store.json"


def store_entry(study: Path, store: Path | str, known: str | None = None) -> dict[str, str]:
    """The ``plan.json`` entries for a store: ``store`` and ``store_id``. Gives the store an id if it has none.

    Args:
        known: the id that the study recorded earlier; a store that lost its id gets it back.
    """
    objects = open_store(store)
    id = _id(objects)
    if id is None:
        objects.put(NAME, json.dumps({"id": known or uuid.uuid4().hex}).encode())
        id = _id(objects)
    assert id is not None
    if isinstance(store, Path):
        study, store = study.absolute(), store.absolute()
        store = store.relative_to(study) if store.is_relative_to(study) else store
    return {"store": str(store), "store_id": id}


def store_path(study: Path, record: Mapping[str, Any]) -> Path | str:
    """The absolute path of a study's store, or its URL.

    Raises:
        BadInput: it is missing, or it is not the store that the study was launched with.
    """
    recorded, known = str(record["store"]), record.get("store_id")
    store: Path | str = recorded if "://" in recorded else study / recorded
    plan = study / "plan.json"
    if isinstance(store, Path) and not store.is_dir():
        beside = study / Path(recorded).name
        moved = Path(recorded).is_absolute() and beside.is_dir()
        hint = f'if the study was moved together with {beside}, set "store": "{beside.name}" there' if moved else "mount it"
        raise BadInput(f"{plan}: key store: no folder {store}; {hint}, or launch the grid to compute everything again")
    if known is None:
        return store
    found = _id(open_store(store))
    if found != known:
        what = (
            "has no readable store.json"
            if found is None
            else f"is another store (id {found[:SHOWN_ID]}, not {known[:SHOWN_ID]})"
        )
        raise BadInput(f"{plan}: key store: {store} {what}; mount the right one, or launch the grid to use this one")
    return store


def _id(store: Store) -> str | None:
    """The store's id; None if it has none, or a damaged one."""
    try:
        found = json.loads(store.get(NAME) or b"null")
    except ValueError:
        return None
    id = found.get("id") if isinstance(found, dict) else None
    return id if isinstance(id, str) and id else None

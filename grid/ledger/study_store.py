"""Locates the store with a study's results, also after the study or the store has moved.

``plan.json`` records the store's location (relative to the study if it lies inside) and its id; the store keeps the id in
``store.json``. This distinguishes a missing store, an empty mount point and another study's store from a study without results.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grid.ledger.sealed import seal, unsealed
from grid.ledger.store import open_store
from grid.ledger.store_interface import Store
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import SHOWN_ID

NAME = "store.json"
AGAIN = "if its results are lost, launch the grid with --new-store to compute everything again"


def store_entry(study: Path, store: Path | str, known: str | None = None) -> dict[str, str]:
    """The ``plan.json`` entries for a store: ``store`` and ``store_id``. Gives the store an id if it has none.

    Args:
        known: the id that the study recorded earlier; a store that lost its id gets it back.
    """
    objects = open_store(store)
    id = _id(objects)
    if id is None:
        data = seal({"id": known or uuid.uuid4().hex})
        if not objects.create(NAME, data) and _id(objects) is None:  # it is damaged; else another study was faster
            objects.put(NAME, data)
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
        raise BadInput(f"{plan}: key store: no folder {store}; {hint}, or {AGAIN}")
    if known is None:
        return store
    found = _id(open_store(store))
    if found != known:
        raise BadInput(f"{plan}: key store: {_wrong(store, found, known)}")
    return store


def check_store(study: Path, store: Path | str, record: Mapping[str, Any]) -> None:
    """Checks, before a launch, that the store where the study's results are is there; otherwise they would be computed again.

    A store at another place than the recorded one is a choice of the user, and a store with a damaged id gets it back.

    Args:
        store: the one of the launch
        record: of the study

    Raises:
        BadInput: it is missing or empty, or another store is in its place.
    """
    recorded, known = str(record["store"]), record.get("store_id")
    place = recorded if "://" in recorded else str(study / recorded)
    if place != str(store.absolute() if isinstance(store, Path) else store):
        return
    if isinstance(store, Path) and not store.is_dir():
        raise BadInput(
            f"{study / 'plan.json'}: key store: no folder {store}, where the results of this study are; mount it, or {AGAIN}"
        )
    objects = open_store(store)
    if known is None or not objects.shared:
        return
    found = _id(objects)
    if found != known and (found is not None or not objects.names("")):
        raise BadInput(f"{study / 'plan.json'}: key store: {_wrong(store, found, known)}")


def _wrong(store: Path | str, found: str | None, known: str) -> str:
    wanted = known[:SHOWN_ID]
    if found is not None:
        return f"{store} is another store (id {found[:SHOWN_ID]}, not {wanted}); mount the right one, or {AGAIN} in this one"
    if open_store(store).names(""):
        return f"{store} has no readable store.json (id {wanted}); mount the right one, or launch the grid to write it again"
    return f"{store} has no readable store.json (id {wanted}) and is empty; mount the right one, or {AGAIN}"


def _id(store: Store) -> str | None:
    """The store's id; None if it has none, or a damaged one."""
    id = unsealed(store.get(NAME), NAME).get("id")
    return id if isinstance(id, str) and id else None

"""What a plan says about a launch that would be refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from grid.execution.refusals import refusals
from grid.ledger.sealed import seal
from grid.ledger.store import LocalStore
from grid.ledger.study import RECORD
from grid.spec.grid_file import Grid


@pytest.fixture
def said(make: Callable[..., Grid], tmp_path: Path) -> Callable[..., list[str]]:
    return lambda *overrides: refusals(make(f"launch.study={tmp_path / 'studies/one'}", *overrides, axes={}))


def test_of_a_launch_that_would_begin_nothing_is_said_and_nothing_is_made(
    said: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert said() == []
    assert said("launch.executor=local", "launch.notify='true'", "launch.address=127.0.0.1:1") == [
        "launch.address '127.0.0.1:1' is of a Ray cluster, and launch.executor is local; leave one out"
    ]
    assert not (tmp_path / "studies").exists()


def test_each_reason_is_one_line(said: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = said("launch.executor=raay", "launch.notify=nope", f"launch.store={tmp_path / 'file'}", "launch.tracking=runs")
    assert [line.partition(":")[0].partition(" ")[0] for line in found] == [
        "launch.executor", "launch.notify", "launch.store", "launch.tracking",
    ]  # fmt: skip
    assert all("\n" not in line for line in found)


def test_claims_are_checked_as_far_as_they_can_be_without_results(said: Callable[..., list[str]], tmp_path: Path) -> None:
    file = tmp_path / "claims.yaml"
    wrong = {
        "claims: [{claim: a, below: 1, wher: {}}]": "wher",
        "claims: [{claim: a, below: 1, where: {rate: low}}]": "claim 'a': unknown axis 'rate'",
        "claims: [{claim: a, order: [{}, {}], for_each: [rate]}]": "claim 'a': for_each: no axis 'rate'",
    }
    assert said(f"launch.claims={file}") == [f"launch.claims: {file}: no such file of claims"]
    for text, words in wrong.items():
        file.write_text(text)
        (line,) = said(f"launch.claims={file}")
        assert line.startswith("launch.claims: ")
        assert words in line
    file.write_text("claims: [{claim: a, below: 1, metric: aux}]")
    assert said(f"launch.claims={file}") == [], "which metrics there are is known with the results"


def test_a_lost_store_is_one(said: Callable[..., list[str]], tmp_path: Path) -> None:
    study = tmp_path / "studies/one"
    record = {"store": "store", "store_id": "a" * 32}
    LocalStore(study).put(RECORD, seal(record))
    (line,) = said()
    assert line.startswith(f"{study / RECORD}: key store: no folder {study / 'store'}, where the results of this study are")

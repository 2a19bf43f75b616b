"""Subjects of a protocol who were trained on: refused, or left out of the evaluation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import SMALL, folder

from configs.data_interfaces import ProtocolConfig
from configs.lookup import resolve
from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.manifest import Manifest
from grid.plan.inputs import InputResolver
from grid.plan.overlap import free_pairs
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid

Make = Callable[..., Grid]
Refused = Callable[..., str]
ALONE = {"name": "one_cycle", "epochs": 2, "trainable": "decoder"}


def test_people_who_were_trained_on_are_refused_with_counts(make: Make, refused: Refused) -> None:
    protocol = {"name": "drawn", "subjects": 20, "first": 2, "shots": 8, "folds": 5}  # subjects 2 and 3 are trained on
    said = refused(axes={}, protocols=[protocol])
    pairs = Overlap(make, protocol)
    assert (
        f"protocol drawn: 2 of its subjects are in the training set, so {pairs.of - pairs.free} of its {pairs.of} pairs" in said
    )
    assert f"`overlap: drop` evaluates the {pairs.free} pairs that are free of them" in said


class Overlap:
    """The pairs of a drawn protocol that are free of subjects 0 to 3, counted one by one."""

    def __init__(self, make: Make, protocol: dict[str, Any]) -> None:
        (one,) = make(axes={}, protocols=[protocol]).combinations()
        assert one.cell is not None
        self.protocol: ProtocolConfig = one.cell.protocols[0]
        manifest = Drawn.manifest(self.protocol.dataset(), Path())
        found = self.protocol.pairs(manifest)
        trained = {f"person-{number:05d}" for number in range(4)}
        rows = zip(found.left, found.right, found.same, strict=True)
        keep = [
            (manifest.keys[left], manifest.keys[right], bool(same))
            for left, right, same in rows
            if not {manifest.identities[left], manifest.identities[right]} & trained
        ]
        self.of, self.free, self.kept = len(found.left), len(keep), keep


def test_people_who_were_trained_on_can_be_dropped(make: Make, tmp_path: Path) -> None:
    protocol = {"name": "drawn", "subjects": 20, "first": 2, "shots": 8, "folds": 5, "overlap": "drop"}
    grid = make(axes={}, protocols=[protocol])
    (one,) = grid.combinations()
    assert one.cell is not None
    resolver = InputResolver(tmp_path)
    left = resolver.kept_pairs(one.cell.protocols[0], one.cell)
    keys = resolver.manifest(resolver.dataset(one.cell.protocols[0])).keys
    wanted = Overlap(make, protocol)
    assert 0 < wanted.free < wanted.of
    found = [(keys[a], keys[b], bool(same)) for a, b, same in zip(left.left, left.right, left.same, strict=True)]
    assert found == wanted.kept
    assert make_plan(grid).cells[0].state == "run"


def test_people_of_the_pretraining_count_as_trained_on(refused: Refused) -> None:
    source = {"name": "source", "data": {"name": "drawn", "first": 1000, "subjects": 2, "shots": 4}}
    said = refused(axes={}, base={"pretraining": source})
    assert "2 of its subjects are in the training set" in said


def test_a_protocol_that_loses_every_genuine_or_impostor_pair_is_refused(refused: Refused) -> None:
    protocol = {"name": "drawn", "subjects": 4, "first": 1, "shots": 8, "folds": 2, "overlap": "drop", "pairs_per_fold": 20}
    said = refused(axes={}, protocols=[protocol])
    assert said.endswith("without them no impostor pair remains: train on others, or choose another protocol")


@pytest.mark.parametrize("overlap", ["refuse", "drop"])
def test_pairs_in_a_single_fold_are_refused(overlap: str) -> None:
    """Cross-validated accuracy needs two."""
    protocol = resolve("protocol", {"name": "drawn", "overlap": overlap})
    manifest = Manifest(tuple("abcd"), tuple("abcd"), (1,) * 4, (1,) * 4, tuple("1234"))
    rows = [(0, 1, True, 0), (0, 2, False, 0), (1, 3, True, 1), (2, 3, False, 1)]
    none, one = np.zeros(4, bool), np.array([False, False, False, True])
    assert len(free_pairs(protocol, manifest, Pairs.of(rows), none)) == 4
    with pytest.raises(ValueError, match="drawn: its 2 pairs are in 1 fold, and cross-validated accuracy needs two at least"):
        free_pairs(protocol, manifest, Pairs.of(rows[:2]), none)
    with pytest.raises(ValueError, match="2 of its 4 pairs say nothing about unseen subjects; the other 2 are in one fold"):
        free_pairs(protocol, manifest, Pairs.of(rows), one)
    with pytest.raises(ValueError, match="folds"):
        resolve("protocol", {"name": "drawn", "folds": 1})


def test_no_advice_is_given_that_cannot_work(refused: Refused, tmp_path: Path) -> None:
    own = {"name": "drawn", "subjects": 4, "first": 0, "shots": 8, "folds": 2, "pairs_per_fold": 20}  # all are trained on
    said = refused(axes={}, protocols=[own])
    assert "4 of its subjects are in the training set" in said
    assert said.endswith("without them no pair remains: train on others, or choose another protocol")
    data = {"name": "folder", "root": folder(tmp_path / "one", 6)}
    for protocol in ({"name": "identification", "data": data}, {"name": "clustering", "data": data}):
        said = elsewhere_of(refused, data, protocol, tmp_path)
        assert "3 of its subjects are in the training set, and it cannot be evaluated without them" in said
        assert "overlap" not in said


def elsewhere_of(refused: Refused, data: dict[str, Any], protocol: dict[str, Any], place: Path) -> str:
    """The refusal of a plan whose images were read."""
    InputResolver(place / "store").scan(resolve("data", data))
    return refused(
        axes={}, base={"data": data}, protocols=[protocol], launch={"study": str(place), "store": str(place / "store")}
    )


def test_other_populations_have_other_people(make: Make) -> None:
    protocol = {"name": "drawn", "subjects": 20, "first": 0, "shots": 8, "folds": 5, "seed": 5}
    assert make_plan(make(axes={}, protocols=[protocol])).cells[0].state == "run"


def test_who_a_decoder_alone_has_seen_was_trained_on(make: Make, tmp_path: Path) -> None:
    weights = {"name": "checkpoint", "path": str(tmp_path / "model.pth")}
    base = {**SMALL["base"], "data": {"name": "drawn", "subjects": 4, "first": 0}, "recipe": ALONE, "reconstruction": {}}
    protocols = [{"name": "drawn", "subjects": 4, "first": 0, "folds": 2, "pairs_per_fold": 4}]
    grid = make(axes={}, base={**base, "pretraining": weights}, protocols=protocols)
    (cell,) = make_plan(grid).cells
    with pytest.raises(ValueError, match="are in the training set"):
        InputResolver(store_of(grid)).kept_pairs(cell.cell.protocols[0], cell.cell)


def test_who_is_looked_at_only_was_not_trained_on(make: Make, refused: Refused, tmp_path: Path) -> None:
    """Data and protocol share their subjects: refused where they are trained on, and only there."""
    base = {**SMALL["base"], "data": {"name": "drawn", "subjects": 4, "first": 0}}
    protocols = [{"name": "drawn", "subjects": 4, "first": 0, "folds": 2, "pairs_per_fold": 4}]
    assert "are in the training set" in refused(axes={}, base=base, protocols=protocols)
    weights = {"name": "checkpoint", "path": str(tmp_path / "model.pth")}
    grid = make(axes={}, base={**base, "recipe": "none", "pretraining": weights}, protocols=protocols)
    (cell,) = make_plan(grid).cells
    assert "checkpoint" in str(cell.reason)  # the file is absent, and nothing else is wrong
    assert InputResolver(store_of(grid)).kept_pairs(cell.cell.protocols[0], cell.cell).same.size == 8


def elsewhere(make: Make, refused: Refused, data: dict[str, Any], protocol: dict[str, Any]) -> str:
    """The complaint about a protocol on another dataset than the training data; every dataset is read before."""
    parts = {"axes": {}, "base": {**SMALL["base"], "data": data}, "protocols": [protocol]}
    plan = make_plan(make(**parts))
    cell = plan.cells[0].cell
    resolver = InputResolver(store_of(plan.grid))
    resolver.scan(cell.data)
    resolver.scan(cell.protocols[0].data)
    return refused(**parts)


def test_a_subject_of_another_dataset_is_known_by_name(make: Make, refused: Refused, tmp_path: Path) -> None:
    folder(tmp_path / "vgg" / "test", 6)
    meta = tmp_path / "identity_meta.csv"
    meta.write_text('Class_ID, Name\na, "Ann Ärt"\nb, "Bea"\nc, "Cleo"\n', encoding="utf-8")
    folder(tmp_path / "lfw" / "images", 100)
    for old, new in (("a", "Ann_Art"), ("b", "Dora"), ("c", "Eve")):
        (tmp_path / "lfw" / "images" / old).rename(tmp_path / "lfw" / "images" / new)
    data = {"name": "vggface2", "root": str(tmp_path / "vgg"), "names_file": str(meta)}
    protocol = {"name": "clustering", "data": {"name": "lfw", "root": str(tmp_path / "lfw")}}
    assert "clustering: 1 of its subjects are in the training set" in elsewhere(make, refused, data, protocol)


@pytest.mark.parametrize("name", ["folder", "flat"])
def test_so_is_one_whose_file_or_folder_has_a_name_of_lfw(make: Make, refused: Refused, tmp_path: Path, name: str) -> None:
    """As in CALFW, CPLFW and XQLFW."""
    folder(tmp_path / "vgg" / "test", 6)
    meta = tmp_path / "identity_meta.csv"
    meta.write_text('Class_ID, Name\na, "Ann Ärt"\nb, "Bea"\nc, "Cleo"\n', encoding="utf-8")
    other = Path(folder(tmp_path / "other", 100))
    for place, image in enumerate(sorted(other.glob("*/*"))):
        who = ("Ann_Art", "Dora", "Eve")["abc".index(image.parent.name)]
        (other / who).mkdir(exist_ok=True)
        image.rename(other / who / image.name if name == "folder" else other / f"{who}_{place}{image.suffix}")
    for old in "abc":
        (other / old).rmdir()
    if name == "flat":
        for who in ("Ann_Art", "Dora", "Eve"):
            (other / who).rmdir()
    data = {"name": "vggface2", "root": str(tmp_path / "vgg"), "names_file": str(meta)}
    protocol = {"name": "clustering", "data": {"name": name, "root": str(other), "space": "lfw"}}
    assert "clustering: 1 of its subjects are in the training set" in elsewhere(make, refused, data, protocol)


def test_a_file_that_was_trained_on_is_known_by_its_bytes(make: Make, refused: Refused, tmp_path: Path) -> None:
    data = {"name": "folder", "root": folder(tmp_path / "one", 6), "space": "one"}
    protocol = {"name": "clustering", "data": {"name": "folder", "root": folder(tmp_path / "two", 6), "space": "two"}}
    assert "clustering: 3 of its subjects are in the training set" in elsewhere(make, refused, data, protocol)


def test_who_was_trained_on_can_be_left_out_of_groups_and_searches(make: Make, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    folder(tmp_path / "one", 6)
    folder(tmp_path / "two" / "images", 100)
    (tmp_path / "one" / "a").rename(tmp_path / "one" / "z")
    data = {"name": "folder", "root": str(tmp_path / "one"), "space": "same"}
    inner = {"name": "folder", "root": str(tmp_path / "two" / "images"), "space": "same"}
    (tmp_path / "two" / "images" / "b").rename(tmp_path / "two" / "images" / "x")
    protocols = [
        {"name": "clustering", "data": inner, "overlap": "drop"},
        {"name": "identification", "data": inner, "overlap": "drop"},
    ]
    grid = make(axes={}, base={**SMALL["base"], "data": data}, protocols=protocols)
    cell = make_plan(grid).cells[0].cell
    resolver = InputResolver(store_of(grid))
    resolver.scan(cell.data)
    resolver.scan(cell.protocols[0].data)
    for protocol in cell.protocols:
        asked = resolver.asked(protocol, cell)
        rows = asked.rows if protocol.task == "clustering" else asked.templates.rows
        keys = resolver.manifest(resolver.dataset(protocol)).keys
        assert {keys[row][0] for row in rows} == {"a", "x"}, "c was trained on"


@pytest.mark.parametrize("overlap", ["refuse", "drop"])
def test_attributes_of_images_that_were_all_trained_on_cannot_be_evaluated(refused: Refused, overlap: str) -> None:
    data = {"name": "drawn", "subjects": 4, "shots": 4}
    base = {**SMALL["base"], "targets": {"gender": {"loss": "binary"}}}
    said = refused(axes={}, base=base, explainers=[], protocols=[{"name": "attributes", "data": data, "overlap": overlap}])
    assert "protocol attributes: 4 of its subjects are in the training set; without them no image remains: train on" in said

"""Observations of a study: copies left out, pairs that all cells have, and the subjects behind them."""

import numpy as np
import pytest

from grid.analysis.observations import identities, items, observations, pair_subjects
from grid.results.rows import table

AXES = {"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1", "2"]}
PROTOCOL = "lfw view 2"
DRAWN = {"name": "drawn", "subjects": 6, "first": 1000, "shots": 3, "pairs_per_fold": 4, "folds": 2}


@pytest.fixture
def study(make_study):
    return make_study(axes=AXES, pairs=60, explainers=())


def test_levels_and_replicates(study):
    found, copies = observations(table(study), PROTOCOL)
    assert copies == 0
    assert [(one.levels["backbone"], one.replicate) for one in found] == [
        (name, number) for name in AXES["backbone"] for number in range(3)
    ]
    assert all("replicate" not in one.levels for one in found)


def test_replicates_with_equal_scores_are_one_computation(study):
    """As where replicates vary the pretraining of a cell that has none."""
    shown = table(study)
    same = shown.rows[1].markers | {f"evaluate:{PROTOCOL}": shown.rows[0].markers[f"evaluate:{PROTOCOL}"]}
    from dataclasses import replace

    rows = (shown.rows[0], replace(shown.rows[1], markers=same), *shown.rows[2:])
    found, copies = observations(replace(shown, rows=rows), PROTOCOL)
    assert (len(found), copies) == (5, 1)
    assert [one.replicate for one in found if one.levels["backbone"] == "alexnet"] == [0, 2]


@pytest.mark.parametrize("shared", [True, False])
def test_equal_numbers_of_separate_trainings_are_no_copies(study, shared):
    """Without scores of pairs, such as a rank 1 of 100 %."""
    from dataclasses import replace

    def row(one):
        own = one.markers[f"evaluate:{PROTOCOL}"]
        made = replace(own, outputs={"metrics.json": {"sha256": "equal"}}, inputs={own.id: "one"} if shared else own.inputs)
        return replace(one, markers={**one.markers, f"evaluate:{PROTOCOL}": made}, results=())

    shown = table(study)
    found, copies = observations(replace(shown, rows=tuple(map(row, shown.rows))), PROTOCOL)
    assert (len(found), copies) == ((2, 4) if shared else (6, 0))


def test_scores_are_those_of_the_files_and_unknown_subjects_have_a_reason(study):
    import pyarrow.parquet as pq

    found, _ = observations(table(study), PROTOCOL)
    scored = items(study, PROTOCOL, found)
    assert scored.scores.shape == (6, 60)
    for one, row in zip(found, scored.scores, strict=True):
        known = pq.read_table(study.ledger.path(one.row.markers[f"evaluate:{PROTOCOL}"], "scores.parquet"))
        assert (row == known["score"].to_numpy()).all()
    assert (scored.subjects, scored.left_out, scored.verifier) == (None, 0, False)
    assert "root" in scored.unknown  # LFW is not on this machine


def test_cells_without_common_pairs_are_not_compared(make_study, study):
    """Lists of 60 and of 40 pairs with other partners."""
    from dataclasses import replace

    other = make_study("shorter", axes={"backbone": ["alexnet"]}, pairs=40, explainers=())
    found, _ = observations(table(study), PROTOCOL)
    few, _ = observations(table(other), PROTOCOL)

    class Both:
        def path(self, marker, name):
            owner = other if marker is few[0].row.markers[f"evaluate:{PROTOCOL}"] else study
            return owner.ledger.path(marker, name)

    both = replace_ledger(study, Both())
    scored = items(both, PROTOCOL, [found[0], replace(few[0], replicate=9)])
    assert scored is None  # keys of the two lists differ: subject_0 is paired with subject_59 in one, subject_39 in the other


def replace_ledger(study, ledger):
    import copy

    found = copy.copy(study)
    found.ledger = ledger
    return found


def test_subjects_of_a_protocol_come_from_its_dataset(study):
    who = identities(study, DRAWN)
    assert len(who) == 18
    assert who["person-01000/shot-000"] == "person-01000"
    with pytest.raises(ValueError, match="unknown"):
        identities(study, {"name": "no_such_protocol"})


def test_pairs_have_the_subjects_of_their_images():
    who = {"a/1": "a", "a/2": "a", "b/1": "b"}
    left, right = pair_subjects(who, [("a/1", "a/2"), ("a/1", "b/1")], np.array([True, False]))
    assert (left.tolist(), right.tolist()) == (["a", "a"], ["a", "b"])
    with pytest.raises(ValueError, match="c/1 is not in the dataset"):
        pair_subjects(who, [("a/1", "c/1")], np.array([False]))
    with pytest.raises(ValueError, match="genuine"):
        pair_subjects(who, [("a/1", "b/1")], np.array([True]))

from types import SimpleNamespace

import pytest

from grid.results.decisions import decisions
from grid.spec.stage_name import StageName

GRADCAM = StageName("explain", "gradcam")
ALIKE, FLIPPED, OTHER = (StageName("evaluate", title) for title in ("alike", "flipped", "other"))
SAME = {"pairs": "p", "images": "i", "train": "t"}
COSINES = ((True, 0.9), (True, 0.1), (False, 0.4), (False, 0.1))
IMAGES = [{"key": f"{n}{side}", "same": same, "cosine": cosine} for n, (same, cosine) in enumerate(COSINES) for side in "lr"]


def found(*evaluations, explained=SAME, metrics=None, images=IMAGES):
    """The decisions where ``evaluations`` are (name, identity), with thresholds 0.4, 0.5, ..."""
    names = [name for name, _ in evaluations]
    known = {"explain": explained, **{name.about: identity for name, identity in evaluations}}
    ledger = SimpleNamespace(identity=lambda kind, id: known[id])
    limits = {name.about: {"best_threshold": {"value": 1, "threshold": 0.4 + n / 10}} for n, name in enumerate(names)}
    stages = {**{name: name.about for name in names}, GRADCAM: "explain"}
    row = SimpleNamespace(
        cell=SimpleNamespace(names=(GRADCAM, *names), stages=stages), metrics=limits if metrics is None else metrics
    )
    return decisions(ledger, row, GRADCAM, images)


def test_pairs_are_decided_at_the_threshold_of_the_evaluation_of_the_same_pairs():
    plain = {**SAME, "flip_test": False}
    decided = found((OTHER, {**plain, "pairs": "q"}), (FLIPPED, {**SAME, "flip_test": True}), (ALIKE, plain))
    assert (decided.protocol, decided.threshold) == ("alike", pytest.approx(0.6))
    assert decided.outcomes == ("true accept", "false reject", "true reject", "true reject")
    assert found((ALIKE, plain)).outcomes == ("true accept", "false reject", "false accept", "true reject")


@pytest.mark.parametrize("view", [{"flip_test": True}, {"multi_crop": 0.8}, {"train": "u"}, {"images": "j"}])
def test_no_other_threshold_decides_them(view):
    assert found((ALIKE, {**SAME, **view})) is None


def test_without_pairs_or_a_finished_evaluation_nothing_is_decided():
    assert found((ALIKE, SAME), explained={"train": "t"}) is None
    assert found((ALIKE, SAME), metrics={}) is None
    assert found((ALIKE, SAME), images=[{"key": "a"}]) is None

"""Which trials go on, given the results of a rung so far, and what is recorded."""

import uuid

import pytest

from grid.ledger.ledger import Ledger
from grid.ledger.sealed import seal
from grid.spec.search import Slot
from grid.stages.asha import Rung, promotion, recorded, trained

IDS = [f"{number:032x}" for number in range(7)]
SLOT = Slot(rung=1, place=2, epochs=4, metric="validation_loss", rivals=tuple(IDS), reduction=3)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(f"memory://{uuid.uuid4().hex}")


def end(ledger: Ledger, trial: int, value: float | None, **more: object) -> None:
    """Ends the stage of a trial in the rung before; None: it diverged."""
    result = {"metrics": {"validation_loss": value}} if value is not None else {"metrics": {}, "diverged": "nan"}
    facts = {"trial": trial, "rung": 0, **result, **more}
    ledger.begin("trial", IDS[trial], {}).finish(facts, {}, "", [])


def rung(ledger: Ledger, missing: tuple[str, ...] = ()) -> Rung:
    found = Rung(ledger, IDS, "validation_loss", 3)
    found.look(missing)
    return found


def test_one_in_reduction_of_the_results_so_far_is_among_the_best(ledger: Ledger) -> None:
    sizes = []
    for trial, value in enumerate([0.5, 0.3, 0.4, 0.2, 0.9, 0.25, 0.1]):
        end(ledger, trial, value)
        sizes.append(rung(ledger).best())
    assert sizes == [[], [], [1], [3], [3], [3, 5], [6, 3]]
    assert rung(ledger).complete


def test_equal_trials_are_in_the_order_of_their_numbers_and_diverged_ones_never_among_the_best(ledger: Ledger) -> None:
    for trial, value in enumerate([None, 0.5, 0.5, None, None, None]):
        end(ledger, trial, value)
    assert rung(ledger).best() == [1, 2]
    end(ledger, 6, None)
    assert rung(ledger).order() == [1, 2, 0, 3, 4, 5, 6]
    fewer = Rung(ledger, IDS, "validation_loss", 2)
    fewer.look()
    assert fewer.best() == [1, 2], "three of seven would go on, and two are sound"


def test_trials_that_were_not_trained_in_a_rung_end_it_and_are_no_results(ledger: Ledger) -> None:
    for trial in range(7):
        end(ledger, trial, 1.0 - trial / 10, **({"promoted": False} if trial % 2 else {"promoted": {"rank": 1, "of": 3}}))
    found = rung(ledger)
    assert found.complete
    assert sorted(found.values) == [0, 2, 4, 6]
    assert found.best() == [6]
    assert trained({}) is True
    assert trained({"promoted": False}) is False


def test_only_stages_that_may_have_a_result_are_read(ledger: Ledger) -> None:
    for trial in range(7):
        end(ledger, trial, trial / 10)
    found = rung(ledger, (IDS[0], IDS[1]))
    assert sorted(found.values) == [2, 3, 4, 5, 6]
    assert not found.complete
    found.look()
    assert found.complete


def test_a_decision_is_made_once_and_kept(ledger: Ledger) -> None:
    stage = "a" * 32
    for trial, value in enumerate([0.5, 0.6, 0.4]):
        end(ledger, trial, value)
    assert recorded(stage, rung(ledger)) is None
    assert promotion(ledger, stage, SLOT) == {"rank": 1, "of": 3}
    for trial in (3, 4, 5, 6):
        end(ledger, trial, 0.1)
    assert 2 not in rung(ledger).best()
    assert promotion(ledger, stage, SLOT) == recorded(stage, rung(ledger)) == {"rank": 1, "of": 3}
    assert promotion(ledger, "b" * 32, SLOT) is None, "the same results without a record"


def test_a_trial_that_is_overtaken_when_it_begins_is_trained_unless_the_rung_is_complete(ledger: Ledger) -> None:
    for trial, value in enumerate([0.5, 0.6, 0.4, 0.3]):
        end(ledger, trial, value)
    assert promotion(ledger, "a" * 32, SLOT) == {"rank": 2, "of": 4}


@pytest.mark.parametrize("result", [{"value": None}, {"value": 0.1, "promoted": False}])
def test_a_trial_that_diverged_or_was_not_trained_before_does_not_go_on(ledger: Ledger, result: dict[str, object]) -> None:
    end(ledger, 2, **result)  # type: ignore[arg-type]
    assert promotion(ledger, "a" * 32, SLOT) is None
    assert recorded("a" * 32, rung(ledger)) is None


def test_a_damaged_decision_is_made_again(ledger: Ledger) -> None:
    end(ledger, 2, 0.4)
    promotion(ledger, "a" * 32, SLOT)
    ledger.store.put(f"trial/{'a' * 32}/promoted.json", b"{")
    assert recorded("a" * 32, rung(ledger)) is None
    end(ledger, 3, 0.3)
    assert promotion(ledger, "a" * 32, SLOT) == recorded("a" * 32, rung(ledger)) == {"rank": 2, "of": 2}


def test_a_metric_that_the_validation_does_not_have_fails_the_stages_that_would_rank_by_it(ledger: Ledger) -> None:
    for trial in range(7):
        end(ledger, trial, 0.5)
    other = Rung(ledger, IDS, "validation_mae_age", 3)
    other.look()  # as the scheduler does
    assert (other.best(), other.complete) == ([], True)
    with pytest.raises(ValueError, match=r"no validation_mae_age \(known: validation_loss\)"):
        promotion(ledger, "a" * 32, SLOT.model_copy(update={"metric": "validation_mae_age"}))


@pytest.mark.parametrize("earlier", [False, True])
def test_a_decision_counts_until_a_result_that_it_ranked_is_another_one(ledger: Ledger, earlier: bool) -> None:
    """``earlier``: it was recorded without the results."""
    stage = "a" * 32
    for trial, value in enumerate([0.5, 0.6, 0.4]):
        end(ledger, trial, value)
    decision = promotion(ledger, stage, SLOT)
    if earlier:
        ledger.store.put(f"trial/{stage}/promoted.json", seal(decision or {}))
    end(ledger, 3, 0.3)
    ledger.void("trial", IDS[0], "for the test")
    assert recorded(stage, rung(ledger)) is None or earlier
    end(ledger, 0, 0.5)
    assert recorded(stage, rung(ledger)) == (None if earlier else decision), "the same result again"
    ledger.void("trial", IDS[0], "for the test")
    end(ledger, 0, 0.2)
    assert recorded(stage, rung(ledger)) is None
    assert promotion(ledger, stage, SLOT) == recorded(stage, rung(ledger)) == {"rank": 3, "of": 4}

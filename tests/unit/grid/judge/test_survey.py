"""Which preprocessing looks wrong."""

from dataclasses import replace

import numpy as np
import pytest

from grid.judge.preprocessing import PARTS, SIZES, Preprocessing
from grid.judge.survey import survey

SUBJECTS = np.repeat(np.arange(80), 2)
SAME = SUBJECTS[:, None] == SUBJECTS
TRUE = Preprocessing(order="bgr", mean=(0.0,) * 3, std=(255.0,) * 3, faces="box", size=(160, 160))
TRIED = "(x - 127.5) / 127.5"
KNOWN = {"faces": ("similarity", "box", "none"), "size": SIZES}


def noise(seed: int, scale: float = 1.0) -> np.ndarray:
    one = np.random.default_rng(seed).normal(size=SAME.shape)
    return scale * (one + one.T) / 2**0.5


def score(one: Preprocessing) -> np.ndarray:
    """Each part that differs from ``TRUE`` costs half of the distance; noise is shared."""
    wrong = sum(one.choice(part) != TRUE.choice(part) for part in PARTS)
    found: np.ndarray = 4.0 * SAME / 2**wrong + noise(0)
    return found


def test_every_wrong_part_is_named_and_the_truth_is_found() -> None:
    best, findings = survey(Preprocessing(), SUBJECTS, score, KNOWN)
    assert best == TRUE
    assert [(one.part, one.before, one.best, one.wrong) for one in findings] == [
        ("faces", "similarity", "box", True),
        ("size", "112x112", "160x160", True),
        ("range", "(x - 127.5) / 127.5", "x / 255", True),
        ("order", "RGB", "BGR", True),
    ]
    assert findings[3].words.startswith("order: BGR gives 9")
    assert findings[3].words.endswith("RGB looks wrong")


def test_what_is_right_stays() -> None:
    best, findings = survey(TRUE, SUBJECTS, score, KNOWN)
    assert best == TRUE
    assert not any(one.wrong for one in findings)
    assert "no other is clearly better than BGR" in findings[3].words


def test_later_parts_are_chosen_under_what_was_stated() -> None:
    """The better order depends on the range: it is RGB under the stated one, BGR under the better one."""
    distance = {("x / 255", "RGB"): 3.0, ("x / 255", "BGR"): 2.0, (TRIED, "RGB"): 4.0, (TRIED, "BGR"): 6.0}

    def dependent(one: Preprocessing) -> np.ndarray:
        found: np.ndarray = distance.get((one.choice("range"), one.choice("order")), 1.0) * SAME + noise(0)
        return found

    for stated, best in ((["range"], ("x / 255", "RGB")), ([], (TRIED, "BGR"))):
        start = replace(TRUE, order="rgb")
        chosen, findings = survey(start, SUBJECTS, dependent, KNOWN, ["range", "order"], stated)
        assert (chosen.choice("range"), chosen.choice("order")) == best
        assert [(one.before, one.best) for one in findings] == [("x / 255", TRIED), ("RGB", best[1])]
        assert [tried.distance for tried in findings[1].tried] == pytest.approx(
            [distance[best[0], order] / noise(0)[~SAME].std() for order in ("RGB", "BGR")], rel=0.1
        )


def test_what_was_tried_is_described_by_all_pairs_of_the_images() -> None:
    _, findings = survey(TRUE, SUBJECTS, score, KNOWN, ["order"])
    pairs = np.triu_indices(len(SUBJECTS), 1)
    for tried, order in zip(findings[0].tried, ("bgr", "rgb"), strict=True):
        scores, same = score(Preprocessing(order, TRUE.mean, TRUE.std, TRUE.faces, TRUE.size))[pairs], SAME[pairs]
        genuine, impostor = scores[same], scores[~same]
        rates = [((genuine >= limit).mean() + (impostor < limit).mean()) / 2 for limit in np.append(scores, np.inf)]
        assert tried.accuracy == pytest.approx(max(rates), abs=1e-12)
        assert tried.auc == pytest.approx((genuine[:, None] > impostor).mean(), abs=1e-12)
        assert tried.distance == pytest.approx((genuine.mean() - impostor.mean()) / impostor.std(), rel=1e-9)


@pytest.mark.parametrize("start", ["rgb", "bgr"])
def test_chance_replaces_nothing(start: str) -> None:
    """Two choices that are equally good: their noise differs."""
    scores = {"rgb": SAME + noise(1), "bgr": SAME + noise(2)}
    _, findings = survey(Preprocessing(order=start), SUBJECTS, lambda one: scores[one.order], KNOWN, ["order"])
    assert not findings[0].wrong


def test_a_small_difference_between_the_same_pairs_is_found_although_the_pairs_differ_much() -> None:
    """Genuine pairs scatter as much as impostor pairs; the wrong order costs each a twentieth, or too little to matter."""
    hard = np.random.default_rng(3).normal(size=80)[SUBJECTS]
    shared = noise(4) + SAME * hard[:, None]
    scores = {factor: shared + factor * SAME for factor in (5.0, 4.95, 4.75)}
    for start, other, wrong in ((5.0, 4.75, False), (4.75, 5.0, True), (4.95, 5.0, False)):
        choice = {"rgb": scores[start], "bgr": scores[other]}
        _, findings = survey(Preprocessing(), SUBJECTS, lambda one, choice=choice: choice[one.order], KNOWN, ["order"])
        assert findings[0].wrong == wrong


def test_what_is_better_in_one_statistic_alone_replaces_nothing() -> None:
    """Impostor scores scatter half as much, genuine ones five times: a higher distance, a lower d'."""
    scores = {"rgb": 5.0 * SAME + noise(5), "bgr": 5.0 * SAME + np.where(SAME, noise(5, 5.0), noise(5, 0.5))}
    _, findings = survey(Preprocessing(), SUBJECTS, lambda one: scores[one.order], KNOWN, ["order"])
    stated, other = findings[0].tried
    assert other.distance > 1.5 * stated.distance
    assert other.d_prime < stated.d_prime
    assert not findings[0].wrong

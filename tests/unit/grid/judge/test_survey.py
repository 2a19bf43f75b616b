"""Which preprocessing looks wrong."""

import numpy as np
import pytest

from grid.judge.preprocessing import PARTS, SIZES, Preprocessing
from grid.judge.survey import separation, survey

SAME = np.arange(160) < 80
NOISE = np.random.default_rng(0).normal(size=160)
TRUE = Preprocessing(order="bgr", mean=(0.0,) * 3, std=(255.0,) * 3, faces="box", size=(160, 160))
KNOWN = {"faces": ("similarity", "box", "none"), "size": SIZES}


def score(one: Preprocessing) -> np.ndarray:
    """Each part that differs from ``TRUE`` costs half of the separation; noise is shared."""
    wrong = sum(one.choice(part) != TRUE.choice(part) for part in PARTS)
    return 4.0 * SAME / 2**wrong + NOISE


def test_every_wrong_part_is_named_and_the_truth_is_found() -> None:
    best, findings = survey(Preprocessing(), SAME, score, KNOWN)
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
    best, findings = survey(TRUE, SAME, score, KNOWN)
    assert best == TRUE
    assert not any(one.wrong for one in findings)
    assert "no other is clearly better than BGR" in findings[3].words


def test_chance_replaces_nothing() -> None:
    rng = np.random.default_rng(1)
    noisy = {order: 1.0 * SAME + rng.normal(size=160) for order in ("rgb", "bgr")}
    for start in ("rgb", "bgr"):
        _, findings = survey(Preprocessing(order=start), SAME, lambda one: noisy[one.order], KNOWN, ["order"])
        assert not findings[0].wrong


def test_separation_is_cohens_d() -> None:
    scores = score(TRUE)
    genuine, impostor = scores[:80], scores[80:]
    pooled = (((genuine - genuine.mean()) ** 2).sum() / 79 + ((impostor - impostor.mean()) ** 2).sum() / 79) / 2
    assert separation(scores, SAME) == pytest.approx((genuine.mean() - impostor.mean()) / pooled**0.5, abs=1e-12)

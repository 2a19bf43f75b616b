import numpy as np
import pytest

from modules.metrics.image_game import CLASS_NAMES, ImageGame, class_values
from modules.metrics.pixel_replacement import Settings, blurred, order

SIDE = 16
LABELS = np.array([0, 1, 2, 1, 0, 2, 1, 0])


def images():
    """A class is the corner in which a small check pattern stands; blur removes it, and so does mid-gray."""
    found = np.random.default_rng(0).normal(size=(8, 3, SIDE, SIDE)).astype(np.float32) * 0.05
    for row, label in enumerate(LABELS):
        found[row][:, corner(label)[0], corner(label)[1]] += np.indices((4, 4)).sum(0) % 2 * 2 - 1
    return found


def corner(label):
    return [(slice(1, 5), slice(1, 5)), (slice(1, 5), slice(11, 15)), (slice(11, 15), slice(1, 5))][label]


def logits(given):
    return 20 * np.stack([np.abs(given[(slice(None), slice(None), *corner(label))]).mean((1, 2, 3)) for label in range(3)], 1)


def oracle():
    maps = np.zeros((8, SIDE, SIDE), np.float32)
    for row, label in enumerate(LABELS):
        maps[row][corner(label)] = 1
    return maps


def game(kind, **settings):
    return ImageGame(class_values(logits, LABELS), CLASS_NAMES, images(), kind, Settings(resamples=200, batch=3, **settings))


@pytest.mark.parametrize("kind", ["hiding", "insertion", "deletion"])
def test_the_game_is_played_as_it_is_told(kind):
    maps = np.random.default_rng(5).normal(size=(8, SIDE, SIDE))
    found = game(kind).play(maps)
    given, soft = images(), blurred(images(), 1.6)
    for at in range(11):
        for row in range(8):
            rising = list(order(maps[row : row + 1], 0)[0])
            first = rising if kind == "hiding" else rising[::-1]
            start, other = {
                "hiding": (given, soft),
                "insertion": (soft, given),
                "deletion": (given, np.zeros_like(given)),
            }[kind]
            altered = start[row].copy()
            for pixel in first[: round(at / 10 * SIDE * SIDE)]:
                altered[:, pixel // SIDE, pixel % SIDE] = other[row][:, pixel // SIDE, pixel % SIDE]
            scores = logits(altered[None])[0].astype(np.float64)
            expected = [
                scores.argmax() == LABELS[row],
                scores[LABELS[row]],
                np.exp(scores[LABELS[row]]) / np.exp(scores).sum(),
            ]
            np.testing.assert_allclose(found[at, row], expected, rtol=1e-9)


def test_the_oracle_wins_each_game_with_an_interval_that_says_so():
    for kind, sign in (("hiding", 1), ("insertion", 1), ("deletion", -1)):
        found = game(kind).compare({"oracle": oracle(), "opposite": -oracle()})["methods"]
        for baseline in ("random", "constant", "center"):
            above = found["oracle"]["probability"]["auc"]["above"][baseline]
            assert sign * above["value"] > 0
            assert min(sign * above["low"], sign * above["high"]) > 0
            assert sign * found["opposite"]["probability"]["auc"]["above"][baseline]["value"] < 0
        values = found["oracle"]["accuracy"]["course"]
        assert found["oracle"]["accuracy"]["auc"]["value"] == pytest.approx(np.mean([values[:-1], values[1:]]))


def test_a_cosine_can_be_followed_as_well():
    reference = images().reshape(8, -1).astype(np.float64)

    def cosine(given, rows):
        flat = given.reshape(len(given), -1).astype(np.float64)
        lengths = np.linalg.norm(flat, axis=1) * np.linalg.norm(reference[rows], axis=1)
        return ((flat * reference[rows]).sum(1) / lengths)[:, None]

    found = ImageGame(cosine, ("cosine",), images(), "insertion", Settings(batch=3)).play(oracle())
    np.testing.assert_allclose(found[-1], 1, rtol=1e-9)
    assert (found[1] > found[0]).all()


def test_a_number_that_is_none_is_named():
    def values(given, rows):
        return np.where(rows == 2, np.nan, 1.0)[:, None]

    with pytest.raises(ValueError, match="the x of image 2 is no finite number at 0%"):
        ImageGame(values, ("x",), images()).play(oracle())


def test_baselines_keep_their_names():
    with pytest.raises(ValueError, match="baseline"):
        game("hiding").compare({"random": oracle()})


def test_one_image_gives_an_interval_only_to_numbers_with_a_range():
    """Its resamples all agree: a logit may be anything, a probability may not."""
    one = ImageGame(class_values(logits, LABELS[:1]), CLASS_NAMES, images()[:1], "insertion", Settings(resamples=50))
    entry = one.compare({"oracle": oracle()[:1]})["methods"]["oracle"]
    assert (entry["score"]["auc"]["low"], entry["score"]["auc"]["above"]["center"]["high"]) == (None, None)
    assert 0 <= entry["probability"]["auc"]["low"] < entry["probability"]["auc"]["high"] <= 1
    assert entry["probability"]["auc"]["above"]["center"]["low"] < entry["probability"]["auc"]["above"]["center"]["high"]


def test_differences_of_cosines_reach_twice_as_far_as_cosines():
    def cosines(given, rows):
        return np.full((len(rows), 1), 0.5)

    def compared(name):
        return ImageGame(cosines, (name,), images(), "deletion", Settings(resamples=50)).compare({"oracle": oracle()})

    entry = compared("cosine")["methods"]["oracle"]["cosine"]
    half = entry["auc"]["above"]["center"]["high"]
    assert (entry["auc"]["low"], entry["auc"]["high"]) == pytest.approx((0.5 - half / 2, 0.5 + half / 2))
    away = compared("distance")["methods"]["oracle"]["distance"]
    assert (away["auc"]["high"], away["auc"]["above"]["center"]["high"]) == pytest.approx((0.5 + half, half))

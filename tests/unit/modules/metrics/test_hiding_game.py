import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modules.metrics.hiding_game import HidingGame
from modules.metrics.pixel_replacement import Settings, blurred, order, to_images

ROOT = Path(__file__).resolve().parents[4]
SIDE = 20
PATCH = (slice(2, 8), slice(12, 18))  # a corner, where no center prior looks


def faces(count=24, seed=0):
    """Pairs whose identity is a pattern in one patch, so fine that blur removes it; all else is noise."""
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(2, count, 3, SIDE, SIDE)).astype(np.float32) * 0.3
    patterns = np.kron(generator.normal(size=(2, count, 3, 3, 3)), [[1, -1], [-1, 1]]).astype(np.float32)
    same = np.arange(count) % 2 == 0
    patterns[1, same] = patterns[0, same]
    images[:, :, :, PATCH[0], PATCH[1]] += patterns
    return images[0], images[1], same


def embed(images):
    return images[:, :, PATCH[0], PATCH[1]].reshape(len(images), -1).astype(np.float64)


def oracle(count=24):
    maps = np.zeros((count, SIDE, SIDE), np.float32)
    maps[:, PATCH[0], PATCH[1]] = 1
    return maps, maps


@pytest.fixture(scope="module")
def game():
    return HidingGame(embed, *faces(), Settings(resamples=200, batch=7))


def test_the_game_is_played_as_it_is_told(game):
    """Pair by pair and share by share, with a map of a lower resolution for the right images."""
    left, right, same = faces()
    generator = np.random.default_rng(3)
    maps = generator.normal(size=(24, SIDE, SIDE)), generator.normal(size=(24, 5, 5))
    found = game.play(maps)
    soft = blurred(left, 2.0), blurred(right, 2.0)
    orders = order(maps[0], 0), order(to_images(maps[1], (SIDE, SIDE)), 0, side=1)
    for at in range(11):
        for pair in range(24):
            shown = []
            for image, other, pixels in zip((left, right), soft, orders, strict=True):
                altered = image[pair].copy()
                for pixel in pixels[pair][: round(at / 10 * SIDE * SIDE)]:
                    altered[:, pixel // SIDE, pixel % SIDE] = other[pair][:, pixel // SIDE, pixel % SIDE]
                shown.append(embed(altered[None])[0])
            cosine = shown[0] @ shown[1] / np.linalg.norm(shown[0]) / np.linalg.norm(shown[1])
            assert found.cosines[at, pair] == pytest.approx(cosine, abs=1e-12)
            assert found.correct[at, pair] == ((cosine >= game.threshold) == same[pair])
    for at in range(11):
        cosines = found.cosines[at]
        best = max(np.mean((cosines >= t) == same) for t in [*cosines, np.inf])
        assert found.refitted[at].mean() == pytest.approx(best)


def test_the_threshold_is_fixed_on_clean_images_unless_it_is_given(game):
    clean = game.play(oracle()).cosines[0]
    same = faces()[2]
    assert np.mean((clean >= game.threshold) == same) == max(np.mean((clean >= t) == same) for t in clean)
    assert game.threshold_from == "these pairs, clean"
    given = HidingGame(embed, *faces(), Settings(resamples=5), threshold=2.0)
    assert given.threshold_from == "given"
    assert given.play(oracle()).correct[0].mean() == 0.5


def test_the_oracle_keeps_its_accuracy_and_its_opposite_loses_it_first(game):
    maps = oracle()
    found = game.compare({"oracle": maps, "opposite": (-maps[0], -maps[1])})["methods"]
    patch_share = 36 / SIDE**2
    kept = [share for share, right in zip(np.arange(11) / 10, found["oracle"]["accuracy"], strict=True) if right == 1]
    assert max(kept) >= 0.9
    assert patch_share < 0.1
    order_of = ["opposite", "random", "oracle"]
    areas = [found[name]["auc"]["value"] for name in order_of]
    assert areas == sorted(areas)
    assert found["opposite"]["auc"]["above"]["random"]["high"] < 0


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("baseline", ["random", "constant", "center"])
def test_a_method_is_tested_against_each_floor_with_and_without_refitted_thresholds(game, refit, baseline):
    found = game.compare({"oracle": oracle(), "one_sided": (oracle()[0], -oracle()[1])})["methods"]
    entries = {name: one["refit"] if refit else one for name, one in found.items()}
    for method in ("oracle", "one_sided"):
        above = entries[method]["auc"]["above"][baseline]
        assert above["value"] == pytest.approx(entries[method]["auc"]["value"] - entries[baseline]["auc"]["value"])
        assert above["low"] < above["value"] < above["high"]
    assert entries["oracle"]["auc"]["above"][baseline]["low"] > 0
    assert entries["one_sided"]["auc"]["above"][baseline]["low"] <= 0
    assert baseline not in entries[baseline]["auc"]["above"]


def test_an_area_is_that_of_the_accuracies(game):
    found = game.compare({"oracle": oracle()})
    for one in found["methods"].values():
        for told in (one, one["refit"]):
            values = told["accuracy"]
            expected = sum((a + b) / 2 * 0.1 for a, b in itertools.pairwise(values))
            assert told["auc"]["value"] == pytest.approx(expected, abs=1e-12)
            assert told["auc"]["low"] <= told["auc"]["value"] <= told["auc"]["high"]
    assert found["sigma"] == 2.0
    assert found["pairs"] == 24


def test_ties_are_not_broken_alike_in_both_images(game):
    """Images that lose the same pixels stay comparable: here, such a map would be as good as the oracle."""
    same = np.random.default_rng(0).random((1, SIDE, SIDE)).repeat(24, axis=0)
    found = game.compare({"aligned": (same, same)})["methods"]
    constant, random = found["constant"]["auc"], found["random"]["auc"]
    assert found["aligned"]["auc"]["low"] > constant["high"]
    assert constant["low"] < random["high"]
    assert random["low"] < constant["high"]


def test_a_constant_map_is_the_order_of_ties_and_all_methods_share_both_ends(game):
    found = game.compare({"mine": (np.full((24, 2, 2), 0.1), np.full((24, 3, 3), -5.0)), "oracle": oracle()})["methods"]
    assert found["mine"]["accuracy"] == found["constant"]["accuracy"]
    assert len({(one["accuracy"][0], one["accuracy"][-1]) for one in found.values()}) == 1


def test_an_embedding_without_a_direction_is_named():
    with pytest.raises(ValueError, match="pair 0 has no direction with 0% hidden"):
        HidingGame(lambda images: images[:, 0, 0] * 0, *faces())


def test_baselines_keep_their_names(game):
    with pytest.raises(ValueError, match="baseline"):
        game.compare({"center": oracle()})


def test_the_scores_know_no_network():
    names = ", ".join(f"modules.metrics.{name}" for name in ("hiding_game", "image_game", "pointing"))
    program = f"import sys, {names}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

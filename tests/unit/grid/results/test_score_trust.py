from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from grid.results.explanation_scores import Scored
from grid.results.score_trust import compared

ROW = SimpleNamespace(cell=None)
MAPS = tuple("abcdef")
IMAGES = [
    {"key": f"{pair}/{side}", "identity": f"s{pair % 12}" + ("-nose" if side == "right" and pair % 2 else "")}
    for pair in range(24)
    for side in ("left", "right")
]
QUALITY = dict(zip(MAPS, np.linspace(0, 1, 6), strict=True))


def drawn(seed, count):
    return np.random.default_rng(seed).normal(0, 0.1, count)


def result(score, of, rows, numbers, **more):
    names = {name for one in numbers.values() for name in one}
    each = {"of": of, "rows": list(rows), "maps": {name: {k: list(v[name]) for k, v in numbers.items()} for name in names}}
    return {"score": score, "headlines": list(numbers), "each": each, "difference_maps": [""], "config": {}, **more}


def one(method, title, found, of="pairs", state="done"):
    return Scored(ROW, method, title, found, state, None, of)


def study(of="pairs"):
    """Six methods: the hiding game follows their quality, deletion falls with it, pointing is known on odd pairs alone."""
    odd = [2 * pair + side for pair in range(1, 24, 2) for side in (0, 1)]
    found = []
    for number, (name, quality) in enumerate(QUALITY.items()):
        hiding = result("hiding_game", "pairs", range(24), {"auc": {"": quality + drawn(number, 24)}})
        deletion = {"distance": {"": 1 - quality + drawn(10 + number, 48)}}
        deletion = result("deletion", "images", range(48), deletion, lower_is_better=["distance"])
        pointing = result("pointing", "images", odd, {"energy": {"": quality + drawn(20 + number, 24)}})
        found += [one(name, *pair, of) for pair in (("hiding_game", hiding), ("deletion", deletion), ("pointing", pointing))]
    return found


def test_each_score_is_compared_with_the_ground_truth_on_the_same_maps():
    found = compared(study(), lambda _: IMAGES)
    assert [(each.truth, each.score, each.known) for each in found] == [
        (("pointing", "energy"), ("hiding_game", "auc"), False),
        (("pointing", "energy"), ("deletion", "distance"), False),
    ]
    for each in found:
        assert each.maps == MAPS
        assert each.agreement["value"] == pytest.approx(1)
        assert (each.agreement["pairs"], each.agreement["units"]) == (12, 12)


def test_values_within_a_pair_are_means_over_its_two_images():
    each = compared(study(), lambda _: IMAGES)[1]
    deletion = np.array([1 - q + drawn(10 + n, 48) for n, q in enumerate(QUALITY.values())]).reshape(6, 24, 2).mean(2)
    truth = np.array([q + drawn(20 + n, 24) for n, q in enumerate(QUALITY.values())]).reshape(6, 12, 2).mean(2)
    wanted = [stats.spearmanr(-deletion[:, pair], truth[:, pair // 2]).statistic for pair in range(1, 24, 2)]
    assert each.agreement["within"]["value"] == pytest.approx(np.mean(wanted))


def test_the_cosine_that_pair_methods_follow_is_turned_into_a_distance():
    more = study()
    for place, (number, quality) in enumerate(QUALITY.items()):
        scored = more[3 * place + 1]
        values = quality + drawn(10 + place, 48)
        if number in "abc":  # pair methods: the cosine is 1 - distance, and falls as pixels of the difference return
            found = result("deletion", "images", range(48), {"cosine": {"": values}}, lower_is_better=["cosine"])
            more[3 * place + 1] = one(scored.method, "deletion", found)
    each = compared(more, lambda _: IMAGES)[1]
    assert (each.score, each.maps) == (("deletion", "distance"), MAPS)
    assert each.agreement["value"] == pytest.approx(1)


def test_maps_of_what_makes_faces_similar_and_scores_without_values_do_not_count():
    more = study()
    both = {"S+": QUALITY["a"] + drawn(1, 24), "S-": QUALITY["b"] + drawn(2, 24)}
    for title in ("hiding_game", "pointing"):
        found = result(title, "pairs", range(24), {"auc" if title == "hiding_game" else "energy": both})
        more.append(one("corr_rise", title, found | {"difference_maps": ["S-"]}))
    more += [
        one("a", "sanity", {"score": "sanity", "difference_maps": [""], "headlines": []}),
        one("b", "late", None, state="x"),
    ]
    assert compared(more, lambda _: IMAGES)[0].maps == (*MAPS, "corr_rise S-")
    assert compared(more[1:2] + more[4:5], lambda _: IMAGES) == []  # no ground truth
    damaged = compared(more, lambda one: [] if one.method == "c" else IMAGES)
    assert damaged[0].maps == ("a", "b", "d", "e", "f", "corr_rise S-")


def test_other_pairs_and_single_images_are_apart():
    found = compared([*study(), *study("pairs of masked"), *study("images")], lambda _: IMAGES)
    assert [each.of for each in found] == ["pairs", "pairs", "pairs of masked", "pairs of masked"]


def test_two_ground_truths_are_compared_with_each_other():
    more = study()
    for place in range(2, 18, 3):
        each = more[place].result["each"]["maps"][""]
        each["pointing"] = [round(value) for value in each["energy"]]
        more[place].result["headlines"] = ["pointing", "energy"]
    found = compared(more, lambda _: IMAGES)
    assert [(each.truth[1], each.score[1], each.known) for each in found][2:4] == [
        ("pointing", "energy", True),
        ("energy", "auc", False),
    ]


def test_pointing_at_what_two_faces_share_is_no_ground_truth_of_maps_of_the_difference():
    scores = study()
    for one in scores:
        if one.score == "pointing":
            one.result["config"] = {"name": "pointing", "truth": "similarity"}
    assert compared(scores, lambda _: IMAGES) == []


def test_a_pair_that_is_shown_twice_counts_once_with_the_mean_of_its_values():
    images = [dict(one) for one in IMAGES]
    images[2:4] = [dict(one) for one in images[0:2]]  # the second pair is the first one again
    found = compared(study(), lambda _: images)
    assert [each.score for each in found] == [("hiding_game", "auc"), ("deletion", "distance")]
    again = compared(study(), lambda _: IMAGES)
    assert found[0].agreement["pairs"] == again[0].agreement["pairs"], "pointing knows the first pair by its second place"

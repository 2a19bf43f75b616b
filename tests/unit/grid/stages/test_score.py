"""Scores of explanations: a file of numbers, or the reason why there are none."""

from typing import Any

from grid.stages.score import _facts


def test_a_score_names_the_explanation_and_its_numbers(ran: Any) -> None:
    for label in ("score:gradcam:sanity", "score:pairs:sanity"):
        found = ran.json(label, "score.json")
        assert (found["score"], found["method"]) == ("sanity", "gradcam")
        assert found["config"] == ran.stages[label].node.config["score"].identity()
        assert found["count"] > 0
        assert found["difference_maps"] == sorted(ran.stages[label].node.config["explainer"].difference_maps)
        assert all("value" in entry for one in found["maps"].values() for entry in one.values())


def test_the_facts_are_the_headlines_that_there_are_rounded() -> None:
    maps = {"": {"auc": {"value": 0.123456}, "drop": {"value": 1.0}}, "S+": {"auc": {"value": 0.5}}}
    found = {"of": "pairs", "count": 3, "maps": maps, "headlines": ["auc", "absent"], "flags": {"": ["odd"], "S+": []}}
    assert _facts(found) == {"pairs": 3, "missing": None, "auc": 0.1235, "S+ auc": 0.5, "flags": {"": ["odd"]}}
    assert _facts({"refused": {"code": "x", "reason": "y"}}) == {"refused": {"code": "x", "reason": "y"}}


def test_what_is_scored_needs_the_explanation_and_the_training(ran: Any) -> None:
    needs = ran.stages["score:gradcam:sanity"].needs
    assert {ran.stages["explain:gradcam"].id, ran.stages["train"].id} <= set(needs)

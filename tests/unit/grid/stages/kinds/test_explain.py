"""Which pairs are explained, and what tracking keeps of an explanation and of its scores."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.lookup import resolve
from grid.ledger.study import finished
from grid.spec.stage_kind import StageName, stage_kind
from grid.stages.kinds.explain import pairs_of
from grid.stages.kinds.score import map_name


def protocol(title: str, task: str = "verification", transforms: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(title=title, task=task, transforms=transforms)


def explainer(**settings: Any) -> Any:
    return resolve("explainer", {"name": "gradcam", **settings})


def test_pairs_are_those_of_the_named_protocol_or_of_the_first_that_has_pairs_of_images() -> None:
    known = [protocol("ijb", "templates"), protocol("one"), protocol("two")]
    assert pairs_of(explainer(), known) is None
    assert pairs_of(explainer(pairs=2), known) is known[1]
    assert pairs_of(explainer(pairs=2, protocol="two"), known) is known[2]


def test_pairs_with_transforms_are_not_explained() -> None:
    changed = protocol("one", transforms=("jpeg",))
    assert pairs_of(explainer(pairs=2), [changed, protocol("two")]).title == "two"
    with pytest.raises(ValueError, match="no protocol of this grid has pairs of images without transforms"):
        pairs_of(explainer(pairs=2), [changed])
    with pytest.raises(ValueError, match=r"no protocol with pairs of images has that title .*known: two"):
        pairs_of(explainer(pairs=2, protocol="one"), [changed, protocol("two")])


@pytest.mark.parametrize(
    ("settings", "titles", "said"),
    [
        ({"protocol": "one"}, ["one"], "explains no pairs; set pairs"),
        ({"pairs": 2}, [], "no protocol of this grid has pairs of images"),
        ({"pairs": 2, "protocol": "tow"}, ["two"], "did you mean 'two'"),
    ],
)
def test_a_protocol_that_has_no_pairs_is_refused(settings: dict[str, Any], titles: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pairs_of(explainer(**settings), [protocol(title) for title in titles])


def test_maps_and_scores_lie_under_the_title_of_the_explanation(ran: Any) -> None:
    maps = finished(ran.ledger, StageName("explain", "gradcam"), ran.marker("explain:gradcam"))
    kept = stage_kind("explain").artifacts(maps)
    assert kept == {name: ("explanations", "gradcam", name) for name in ("manifest.json", "maps.npy")}
    label = StageName("score", "gradcam", "sanity")
    scored = finished(ran.ledger, label, ran.marker(label))
    assert stage_kind("score").artifacts(scored) == {"score.json": ("explanations", "gradcam", "sanity.json")}
    logged = stage_kind("score").logged(scored)
    assert logged
    assert all(name[0] == "explanations" and name[1].startswith("gradcam.sanity.") for name in logged)


def test_names_of_maps_stay_different() -> None:
    assert [map_name(name) for name in ("S+", "S-", "S", "")] == ["S_plus", "S_minus", "S", ""]

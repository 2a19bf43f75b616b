"""``sweep`` in a grid file: one protocol per value."""

import pytest

from grid.plan.plan import make_plan
from grid.spec.sweeps import words

PLAIN = {"name": "drawn", "subjects": 20, "shots": 8, "folds": 5}


def _protocols(make, *protocols):
    return next(iter(make(protocols=list(protocols)).combinations())).cell.protocols


def test_a_sweep_becomes_a_protocol_per_setting_and_value(make):
    sweep = {"jpeg.quality": [10, 90], "resize_pixels.pixels": [1600]}
    found = _protocols(make, PLAIN, {**PLAIN, "label": "faces", "sweep": sweep})
    assert [one.title for one in found] == [
        "drawn",
        "faces jpeg quality 10",
        "faces jpeg quality 90",
        "faces resize pixels 1600",
    ]
    assert [[part.name for part in one.transforms] for one in found] == [[], ["jpeg"], ["jpeg"], ["resize_pixels"]]
    assert found[2].transforms[0].quality == 90
    assert (found[2].sweep_point.of, found[2].sweep_point.key, found[2].sweep_point.value) == ("faces", "jpeg.quality", 90)
    assert found[0].sweep_point is None


def test_other_transforms_come_first_and_the_swept_one_is_replaced(make):
    fixed = [{"name": "jpeg", "quality": 5}, {"name": "resize_pixels", "pixels": 900}]
    (found,) = _protocols(make, {**PLAIN, "transforms": fixed, "sweep": {"jpeg.quality": [10]}})
    assert [part.name for part in found.transforms] == ["resize_pixels", "jpeg"]
    assert found.transforms[1].quality == 10


def test_only_evaluations_and_detections_depend_on_the_transform_and_plain_ids_stay(make):
    before = make_plan(make(protocols=[PLAIN], explainers=[]))
    after = make_plan(make(protocols=[PLAIN, {**PLAIN, "label": "faces", "sweep": {"jpeg.quality": [10, 90]}}], explainers=[]))
    added = {stage.id: stage for stage in after.stages if stage.id not in {one.id for one in before.stages}}
    assert {one.id for one in before.stages} < {one.id for one in after.stages}
    assert [cell.id for cell in before.cells] == [cell.id for cell in after.cells]
    kinds = [stage.stage for stage in added.values()]
    assert (kinds.count("detect"), kinds.count("evaluate"), len(kinds)) == (2, 8, 10)


def test_the_title_of_a_swept_protocol_is_no_part_of_its_id(make):
    def ids(label: str, **more):
        plan = make_plan(make(protocols=[{**PLAIN, "label": label, **more}], explainers=[]))
        return sorted(stage.id for stage in plan.stages)

    by_hand = ids("by hand", transforms=[{"name": "jpeg", "quality": 10}])
    assert by_hand == ids("faces", sweep={"jpeg.quality": [10]})
    assert by_hand != ids("by hand", transforms=[{"name": "jpeg", "quality": 11}])


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({}, "protocols.1.sweep: maps a setting to values"),
        ([1], "protocols.1.sweep: maps a setting to values"),
        ({"quality": [10]}, "key 'quality' names a transform and its setting"),
        ({"jpg.quality": [10]}, "unknown transform 'jpg'; did you mean 'jpeg'?"),
        ({"jpeg.qualty": [10]}, "transform jpeg has no setting 'qualty'; did you mean 'quality'?"),
        ({"jpeg.quality": 10}, "jpeg.quality is a list of different numbers; found 10"),
        ({"jpeg.quality": [10, 10]}, "a list of different numbers"),
        ({"jpeg.quality": [True]}, "a list of different numbers"),
        ({"jpeg.quality": [10, 101]}, "protocols.2.transforms.0.quality: input should be less than or equal to 100; found 101"),
    ],
)
def test_an_invalid_sweep_is_refused_with_its_line(refused, tmp_path, sweep, said):
    text = refused(protocols=[PLAIN, {**PLAIN, "label": "faces", "sweep": sweep}])
    assert said in text
    lines = (tmp_path / "grid.yaml").read_text().splitlines()
    number = int(text.split(":")[1])
    assert number > lines.index("protocols:") + 2  # within the second protocol


def test_names_of_settings_read_like_words():
    assert words("jpeg.quality") == "jpeg quality"
    assert words("resize_pixels.pixels") == "resize pixels"
    assert words("mylab.blur.sigma") == "mylab blur sigma"

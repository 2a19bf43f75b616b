"""What a plan says about the design of its grid, also with skip rules, overrides and replicates; what the analysis refuses."""

import re
from collections.abc import Callable
from typing import Any

from grid.analysis.design import design as model_of
from grid.plan.design_lines import design_lines
from grid.plan.inputs import InputResolver
from grid.plan.plan import Plan, make_plan, store_of
from grid.plan.power import power_lines
from grid.plan.study_record import write_plan
from grid.spec.grid_file import Grid
from modules.metrics.power import between_levels

Make = Callable[..., Grid]
FOUR = {
    "rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.1}},
    "flip": {"off": {"augmentation.name": "none"}, "on": {"augmentation.name": "flip"}},
    "size": {"small": {"input.size": 64}, "large": {"input.size": 96}},
    "epochs": {"few": {"recipe.epochs": 1}, "many": {"recipe.epochs": 4}},
}
RATES = {"rate": {**FOUR["rate"], "mid": {"recipe.lr": 0.05}}, "size": FOUR["size"]}


def levels(plan: Plan) -> list[dict[str, str]]:
    return [dict(cell.levels) for cell in plan.cells]


def refused_terms(plan: Plan) -> dict[Any, Any]:
    """What the analysis of the plan's cells would not estimate: term -> what it is aliased with."""
    negligible = plan.grid.spec.design.negligible is not None
    found = model_of([cell.levels for cell in plan.cells if cell.cell], plan.grid.factors, negligible)
    return {**found.dropped, **found.refused}


def test_a_product_says_nothing(make: Make) -> None:
    assert not design_lines(make_plan(make(axes=FOUR)))


def test_a_study_records_what_its_plan_says_of_the_design(make: Make) -> None:
    """Also if only some of the cells are launched."""
    grid = make(axes=FOUR, design={"fractional": {"resolution": 4}})
    every, some = make_plan(grid), make_plan(grid, {"rate": ["low"]})
    assert write_plan(some, grid)["design"] == design_lines(every) != []


def test_a_fraction_prints_its_aliases_and_the_analysis_refuses_the_same(make: Make) -> None:
    plan = make_plan(make(axes=FOUR, design={"fractional": {"resolution": 4}}))
    assert design_lines(plan) == [
        "design fractional: 8 of 16 combinations, resolution 4: epochs = rate x flip x size",
        "defining relation: I = rate x flip x size x epochs",
        "aliased: rate = flip x size x epochs",
        "aliased: flip = rate x size x epochs",
        "aliased: size = rate x flip x epochs",
        "aliased: epochs = rate x flip x size",
        "aliased: rate x flip = size x epochs",
        "aliased: rate x size = flip x epochs",
        "aliased: rate x epochs = flip x size",
        "aliases of up to three axes are shown; of an aliased set only the sum can be estimated",
        "interactions of three axes or more are assumed to be negligible",
    ]
    pairs = [
        (("rate", "flip"), ("size", "epochs")),
        (("rate", "size"), ("flip", "epochs")),
        (("rate", "epochs"), ("flip", "size")),
    ]
    assert refused_terms(plan) == {one: (other,) for both in pairs for one, other in (both, both[::-1])}


def test_at_resolution_3_main_effects_are_aliased_with_interactions(make: Make) -> None:
    three = {axis: FOUR[axis] for axis in ("rate", "flip", "size")}
    design = {"name": "fractional", "generators": {"size": ["rate", "flip"]}}
    plan = make_plan(make(axes=three, design=design, replicates=2))
    assert "aliased: size = rate x flip" in design_lines(plan)
    assert design_lines(plan)[-1] == (
        "the report will refuse the main effects that are aliased with two-way interactions (rate, flip, size): use "
        "design.resolution: 4, or state design.negligible: interactions if you know that they are"
    )
    assert refused_terms(plan)[("rate", "flip")] == (("size",),)
    assert refused_terms(plan)[("size",)] == (("rate", "flip"),)
    resolver = InputResolver(store_of(plan.grid))
    assert "two levels of a factor" not in power_lines(plan, resolver)[0]
    stated = make_plan(make(axes=three, design={**design, "negligible": "interactions"}, replicates=2))
    assert design_lines(stated)[-1].startswith("stated as negligible: two-way interactions; if they are not, ")
    assert set(refused_terms(stated)) == {("rate", "flip"), ("rate", "size"), ("flip", "size")}
    assert "two levels of a factor" in power_lines(stated, resolver)[0]
    assert [cell.id for cell in stated.cells] == [cell.id for cell in plan.cells]


def test_main_effects_of_resolution_3_that_are_clear_of_interactions_are_not_named(make: Make) -> None:
    plan = make_plan(make(axes=FOUR, design={"fractional": {"generators": {"size": ["rate", "flip"]}}}))
    assert "(rate, flip, size)" in design_lines(plan)[-1], "epochs is in no word of the defining relation"
    assert ("epochs",) not in refused_terms(plan)


def test_a_study_records_what_its_grid_states_as_negligible(make: Make) -> None:
    for stated in (None, "interactions"):
        grid = make(axes=FOUR, design={"fractional": {"resolution": 4}} | ({"negligible": stated} if stated else {}))
        assert write_plan(make_plan(grid), grid)["negligible"] == stated


def test_a_fraction_of_resolution_5_has_its_interactions(make: Make) -> None:
    five = {**FOUR, "threads": {"one": {}, "two": {"compute.threads": 2}}}
    plan = make_plan(make(axes=five, design={"fractional": {"resolution": 5}}))
    assert len(plan.cells) == 16
    assert not refused_terms(plan)


def test_zip_attributes_nothing_to_one_axis(make: Make) -> None:
    plan = make_plan(make(axes=FOUR, design="zip", replicates=2))
    assert len(plan.cells) == 4
    assert [one["replicate"] for one in levels(plan)] == ["0", "1", "0", "1"]
    (said,) = design_lines(plan)
    assert said.endswith("no effect can be attributed to one of them: rate = flip = size = epochs")
    mains = {term: others for term, others in refused_terms(plan).items() if len(term) == 1}
    assert mains == {(axis,): tuple((other,) for other in FOUR if other != axis) for axis in FOUR}
    assert "two levels of a factor" not in power_lines(plan, InputResolver(store_of(plan.grid)))[0]


def test_one_at_a_time_has_main_effects_alone(make: Make) -> None:
    plan = make_plan(make(axes=RATES, design={"one_at_a_time": {"base": {"rate": "high"}}}, replicates=3))
    assert len(plan.cells) == 4 * 3
    (said,) = design_lines(plan)
    assert said.startswith("design one_at_a_time: 4 combinations around rate=high, size=small; no interaction")
    assert set(refused_terms(plan)) == {("rate", "size")}
    power = power_lines(plan, InputResolver(store_of(plan.grid)))[0]
    assert f"two levels of a factor from {between_levels(3, 4, 1):.1f}" in power


def test_skip_rules_thin_a_design_and_the_plan_says_so(make: Make) -> None:
    skip = [{"when": {"rate": "high", "size": "large"}, "because": "diverges"}]
    plan = make_plan(make(axes=FOUR, design={"fractional": {"resolution": 4}}, skip=skip))
    assert sum(cell.cell is None for cell in plan.cells) == 2
    assert design_lines(plan)[-1].startswith("2 combinations of the design skipped: more effects may be aliased")
    assert ("flip",) in refused_terms(plan)["rate", "flip"], "more is aliased than resolution 4 says"


def test_an_override_changes_the_design(make: Make) -> None:
    assert len(make_plan(make("design=one_at_a_time", axes=FOUR)).cells) == 5
    assert len(make_plan(make("design.resolution=4", axes=FOUR, design={"name": "fractional", "resolution": 3})).cells) == 8


def test_equal_combinations_of_two_designs_are_the_same_cells(make: Make) -> None:
    every = {cell.title: cell.id for cell in make_plan(make(axes=FOUR)).cells}
    for design in ("zip", "one_at_a_time", {"fractional": {"resolution": 4}}):
        assert all(every[cell.title] == cell.id for cell in make_plan(make(axes=FOUR, design=design)).cells)


def test_a_design_that_does_not_suit_is_one_line(refused: Callable[..., str]) -> None:
    assert "design: zip pairs levels by position, so each axis needs as many as the others; found rate 3, size 2" in refused(
        axes=RATES, design="zip"
    )
    found = refused(axes=RATES, design={"fractional": {"resolution": 3}})
    assert "grid.yaml:" in found
    assert found.endswith("design: fractional designs have two levels per axis; axis 'rate' has 3; keep two")
    latin = refused(axes=FOUR, design="latin")
    assert re.search(r"grid\.yaml:\d+: design\.name: input should be 'product'", latin)
    assert "override 'design=latin': design.name: input should be 'product'" in refused("design=latin", axes=FOUR)


def test_an_ensemble_without_members_in_the_design_is_refused(refused: Callable[..., str], make: Make) -> None:
    ensembles = [{"over": "rate"}]
    found = refused(axes=FOUR, design="zip", ensembles=ensembles)
    assert found.endswith("ensemble: in design zip no cells differ in 'rate' alone; use design: product")
    assert make(axes=FOUR, design="one_at_a_time", ensembles=ensembles)

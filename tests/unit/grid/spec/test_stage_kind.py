"""A kind of stage is a file: built-in ones are found by name, a user's own by its dotted path in the grid file."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.lookup import known
from grid.execution.job import jobs_of
from grid.plan.code_version import source_digest
from grid.plan.inputs import InputResolver
from grid.plan.plan import make_plan
from grid.spec.cell import Cell
from grid.spec.grid_file import BadInput, Grid
from grid.spec.stage_kind import StageName, built_in, stage_kind, stages_of

CELL: dict[str, Any] = {
    "data": {"name": "drawn", "subjects": 4, "shots": 4},
    "input": {"size": 64},
    "backbone": "alexnet",
    "recipe": {"name": "one_cycle", "epochs": 1},
}
NORMS = """
from typing import Literal
from configs.staging import StageConfig

class Config(StageConfig):
    name: Literal["toy_stages.norms"] = "toy_stages.norms"
    images: int = 8

def run(config, context):
    raise AssertionError("planning computes nothing")
"""
FIRST = (
    NORMS.replace("norms", "first")
    + """

from grid.spec.stage_kind import StageKind, StageName

class Kind(StageKind):
    order = 5
    shared = True
    leaf = False
    configs = {"settings": "stage"}

    def plan(self, graph):
        for settings in graph.cell.stages:
            if settings.name == self.name:
                identity = {"images": graph.facts.images(graph.cell.data), "settings": settings.identity()}
                graph.add(StageName(self.name), identity, {"settings": settings}, [])
"""
)

GAIN = (
    NORMS.replace("norms", "gain")
    + """

from grid.spec.stage_kind import StageKind, StageName

class Kind(StageKind):
    order = 110

    def plan(self, graph):
        few, many = graph.of("toy_stages.norms")
        for settings in (one for one in graph.cell.stages if one.name == self.name):
            identity = {"few": few.id, "many": many.id, "settings": settings.identity()}
            graph.add(StageName(self.name), identity, {"settings": settings}, {"few": few, "many": many, "none": None})
"""
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's package with two kinds of stages, and modules that are none."""
    folder = tmp_path_factory.mktemp("packages") / "toy_stages"
    folder.mkdir()
    for name, text in {
        "norms": NORMS,
        "first": FIRST,
        "gain": GAIN,
        "silent": NORMS.replace("norms", "silent").replace("def run", "def walk"),
    }.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "__init__.py").write_text("")
    (folder / "odd.py").write_text(NORMS.replace("norms", "odd") + "\nKind = 5\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        importlib.invalidate_caches()
        yield folder


@pytest.fixture
def resolver(tmp_path: Path) -> InputResolver:
    return InputResolver(tmp_path / "store")


def cell(*stages: Any, **changes: Any) -> Cell:
    return Cell.model_validate({**CELL, "stages": list(stages), **changes})


def test_the_files_of_the_folder_are_the_built_in_kinds_in_an_order_that_runs() -> None:
    names = [kind.name for kind in built_in() if kind.name != "detect_shard"]
    assert names == ["detect", "pretrain", "trial", "search", "train", "evaluate", "explain", "score"]
    assert {kind.name for kind in built_in() if kind.shared} == {"detect", "detect_shard", "pretrain", "trial", "search"}
    assert {kind.name for kind in built_in() if kind.leaf} == {"evaluate", "explain", "score"}


def test_a_module_of_a_users_own_is_a_stage_after_the_training(package: Path, resolver: InputResolver) -> None:
    stages = stages_of(cell({"name": "toy_stages.norms", "images": 4}), resolver)
    train, own = stages
    assert (own.kind, own.label, own.needs) == ("toy_stages.norms", "toy_stages.norms", (train.id,))
    assert own.config["settings"].images == 4
    before = {stage.id for stage in stages}
    assert {
        stage.id for stage in stages_of(cell({"name": "toy_stages.norms", "images": 4, "label": "few"}), resolver)
    } == before
    assert stages_of(cell({"name": "toy_stages.norms", "images": 5}), resolver)[1].id != own.id


def test_inputs_have_names_so_two_of_one_kind_are_told_apart(package: Path, resolver: InputResolver) -> None:
    many = {"name": "toy_stages.norms", "images": 16, "label": "many"}
    train, few, more, gain = stages_of(cell({"name": "toy_stages.norms"}, many, "toy_stages.gain"), resolver)
    assert few.inputs == more.inputs == {"train": train.id}, "without names: labels"
    assert gain.inputs == {"few": few.id, "many": more.id}
    assert gain.needs == tuple(sorted((few.id, more.id)))


def test_a_job_has_its_inputs_by_name(package: Path, make: Callable[..., Grid]) -> None:
    from grid.execution.perform import packed_jobs, unpacked_jobs

    many = {"name": "toy_stages.norms", "images": 16, "label": "many"}
    plan = make_plan(make(axes={}, stages=["toy_stages.norms", many, "toy_stages.gain"], protocols=[], explainers=[]))
    jobs = jobs_of(plan.stages, Path("store"))
    (job,) = (job for job in unpacked_jobs(packed_jobs(list(jobs.values()))) if job.kind == "toy_stages.gain")
    assert {name: jobs[id].label for name, id in job.inputs.items()} == {
        "few": "toy_stages.norms",
        "many": "toy_stages.norms:many",
    }


def test_a_score_has_its_explanation_as_an_input_and_the_training(resolver: InputResolver) -> None:
    explainers = [{"name": "gradcam", "scores": ["sanity"]}, {"name": "rise", "scores": ["sanity"]}]
    stages = {stage.label: stage for stage in stages_of(cell(explainers=explainers), resolver)}
    for method in ("gradcam", "rise"):
        score = stages[StageName("score", method, "sanity")]
        assert score.inputs == {"explain": stages[StageName("explain", method)].id, "train": stages[StageName("train")].id}


def test_a_stage_of_a_users_own_needs_the_detection_of_the_images_that_the_network_was_trained_on(
    package: Path, tmp_path: Path
) -> None:
    stages = stages_of(cell("toy_stages.norms", detector="mtcnn"), InputResolver(tmp_path))
    detected, train, own = stages
    assert (detected.kind, train.kind) == ("detect", "train")
    assert own.needs == tuple(sorted((detected.id, train.id)))


def test_two_settings_of_one_kind_are_two_stages_with_labels(package: Path, resolver: InputResolver) -> None:
    stages = stages_of(cell("toy_stages.norms", {"name": "toy_stages.norms", "images": 2, "label": "few"}), resolver)
    assert [stage.label for stage in stages] == ["train", "toy_stages.norms", "toy_stages.norms:few"]


def test_a_kind_may_be_shared_and_come_first(package: Path, make: Callable[..., Grid]) -> None:
    from grid.execution.scheduler import queue_of

    grid = make(stages=["toy_stages.first", "toy_stages.norms"], protocols=[], explainers=[])
    plan = make_plan(grid)
    own = [stage for stage in plan.stages if stage.stage == "toy_stages.first"]
    assert len(own) == 1
    assert len(own[0].cells) == 4
    jobs = jobs_of(plan.stages, Path("store"))
    board = queue_of(plan, jobs)
    alone = [work for work in board.waiting.values() if work.id == own[0].id]
    assert [job.kind for job in alone[0].jobs] == ["toy_stages.first"]
    assert sum(job.kind == "toy_stages.norms" for work in board.waiting.values() for job in work.jobs) == 4
    settings = jobs[own[0].id].configs()["settings"]
    assert settings == plan.cells[0].cell.stages[0]  # type: ignore[union-attr]


def test_the_code_of_the_kind_counts(package: Path) -> None:
    settings = cell("toy_stages.norms").stages[0]
    from grid.plan import code_version

    before = source_digest("toy_stages.norms", [settings])
    (package / "norms.py").write_text(NORMS.replace("computes nothing", "computes little"))
    code_version._syntax.cache_clear()
    code_version._digest.cache_clear()
    assert source_digest("toy_stages.norms", [settings]) != before


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (
            ["train"],
            "unknown stage 'train' (known: background, classification, decode, differentials, face_time, latent, worst_pairs)",
        ),
        (["toy_stages.absent"], "stage 'toy_stages.absent': there is no module toy_stages.absent in the package toy_stages"),
        ([{"name": "toy_stages.norms", "image": 4}], "image"),
        (["toy_stages.norms", "toy_stages.norms"], "two stages are called 'toy_stages.norms'; give one a `label`"),
        (["toy_stages.silent"], "stage kind 'toy_stages.silent': the module has neither a class Kind"),
        (["toy_stages.odd"], "stage kind 'toy_stages.odd': the module has neither a class Kind"),
        ([{"label": "x"}], "a stage is a mapping with a name, such as {name: background}"),
    ],
)
def test_what_names_no_stage_is_refused_in_one_line(
    package: Path, make: Callable[..., Grid], stages: list[Any], said: str
) -> None:
    with pytest.raises(BadInput) as error:
        make_plan(make(stages=stages))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_no_level_sets_a_stage(make: Callable[..., Grid]) -> None:
    with pytest.raises(BadInput, match=r"'stages\.0\.images' is the same for all cells; no level may set it"):
        make(axes={"few": {"yes": {"stages.0.images": 2}}})


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match=r"unknown stage kind 'no_such' \(known: detect, "):
        stage_kind("no_such")


def test_describing_the_kinds_imports_nothing_that_trains_or_draws() -> None:
    """A driver describes every kind and computes none: Lightning alone would take seconds of its start."""
    program = (
        "import sys\n"
        "from configs.lookup import known\n"
        "from grid.spec.stage_kind import built_in, stage_kind\n"
        "kinds = [*built_in(), *map(stage_kind, known('stage'))]\n"
        "print(len(kinds), *{'pytorch_lightning', 'scipy.stats', 'sklearn', 'matplotlib'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(built_in()) + len(known("stage")))]

"""Marks and orders tests by folder, finds the shared test data, and starts what many tests use."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


# A process of pytest-xdist takes one file after the other. The longest come first, so that the processes end together.
LONGEST = (
    "integration/test_devices.py", "cluster/test_nodes.py", "chaos/test_kill.py", "integration/test_launch.py",
    "cluster/test_preflight.py", "integration/test_damage.py", "integration/test_slurm.py",
    "chaos/test_boundaries.py", "integration/test_mlflow_questions.py", "chaos/test_interrupt.py", "integration/test_judge.py",
    "cluster/test_starting_processes.py", "chaos/test_bucket.py", "chaos/test_stopped_driver.py", "integration/test_asha.py",
)  # fmt: skip
ORDER = ("chaos", "cluster", "integration", "golden", "unit")  # then those of these folders


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """Without the garbage collector, which would look through all that is imported again and again, here and later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in tests/chaos is marked ``chaos``, and so on; see ``LONGEST`` and ``ORDER``."""
    files = {item.path: item.path.relative_to(ROOT / "tests") for item in items}
    places = {item: files[item.path] for item in items}
    for item, place in places.items():
        if place.parts[0] != "unit":
            item.add_marker(place.parts[0])

    def rank(item: pytest.Item) -> tuple[int, int]:
        file, folder = places[item].as_posix(), places[item].parts[0]
        return (
            LONGEST.index(file) if file in LONGEST else len(LONGEST),
            ORDER.index(folder) if folder in ORDER else len(ORDER),
        )

    items.sort(key=rank)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How long the tests of each folder took together, set-up included."""
    spent: dict[str, float] = {}
    counts: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if (phase := getattr(report, "when", None)) not in ("setup", "call", "teardown"):
                continue
            folder = "/".join(Path(report.nodeid.partition("::")[0]).parts[: 3 if "/unit/" in report.nodeid else 2])
            folder = folder.removesuffix(".py") if folder.endswith(".py") else folder
            spent[folder] = spent.get(folder, 0.0) + report.duration
            counts[folder] = counts.get(folder, 0) + (phase == "call")
    if len(spent) > 1:
        terminalreporter.section("seconds of tests, by folder")
        for folder, seconds in sorted(spent.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(f"{seconds:8.1f} s  {counts[folder]:6d} tests  {folder}")


@pytest.fixture(autouse=True)
def plain_signals(plain_signals_from_the_start: None) -> None:
    """Ray puts its own SIGTERM handler into any process that starts one of its nodes; no test may inherit it from another."""
    _reset_signals()


@pytest.fixture(autouse=True, scope="session")
def plain_signals_from_the_start() -> None:
    """No test, and nothing that a test or fixture starts, may ignore Ctrl-C because pytest itself runs in the background."""
    _reset_signals()


def _reset_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def place_of_the_empty_database(tmp_path_factory: pytest.TempPathFactory) -> None:
    import empty_database

    empty_database.FACTORY[:] = [tmp_path_factory]


@pytest.fixture(autouse=True, scope="module")
def own_environment() -> Iterator[None]:
    """No file of tests inherits environment variables that another has set: ray.init, for one, sets Ray's token mode."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real faces and weights, beside the checkout; its absence skips, and fails in CI."""
    found = Path(os.environ.get("FACEGRID_SHARED", ROOT.parent / "shared"))
    if not (found / "data").is_dir():
        reason = f"no shared test data at {found} (set FACEGRID_SHARED to the folder that has data/ and weights/)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """While it is there, every training stops half done; but see ``components.slow``."""
    path = tmp_path / "hold"
    path.touch()
    return path


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The launch that every disturbed one, on whatever nodes, must equal; tests only read it."""
    from launching import launch_undisturbed, undisturbed
    from once import once

    return undisturbed(once(tmp_path_factory, "undisturbed", launch_undisturbed))

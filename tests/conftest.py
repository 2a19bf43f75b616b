"""Marks and orders tests by folder, finds the shared test data, and starts what many tests use."""

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


ORDER = ("chaos", "cluster", "integration", "golden", "unit")  # the longest files first, so that processes end together


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in tests/chaos is marked ``chaos``, and so on; see ``ORDER``."""
    folders = {item: Path(item.path).relative_to(ROOT / "tests").parts[0] for item in items}
    for item, folder in folders.items():
        if folder != "unit":
            item.add_marker(folder)
    items.sort(key=lambda item: ORDER.index(folders[item]) if folders[item] in ORDER else len(ORDER))


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


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The launch that every disturbed one, on whatever nodes, must equal; tests only read it.

    The processes of pytest-xdist share it: the first one that needs it makes it, in the folder that holds theirs.
    """
    from launching import undisturbed

    base = tmp_path_factory.getbasetemp()
    with open((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "undisturbed.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by the death of this process
        return undisturbed(Path(lock.name).with_suffix(""))

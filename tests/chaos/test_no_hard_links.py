"""A file system without hard links: a launch, and one that is killed and launched again, as where there are some."""

from pathlib import Path

import pytest
from boundaries import Calm, Place, killed_and_launched_again
from launching import sound

pytestmark = pytest.mark.timeout(900)
NO_LINKS = """
import errno, os
def link(*words, **named):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
os.link = link
"""


@pytest.mark.slow
def test_a_launch_needs_no_hard_links(every_kind: Calm, tmp_path: Path) -> None:
    place = Place(tmp_path / "place", change=NO_LINKS)
    code, said = place.launch()
    assert code == 0, said
    assert "Traceback" not in said
    assert (place.study / "store" / ".lock").exists(), "objects were created under the file lock that replaces links"
    assert place.store.contents() == every_kind.contents
    assert set(place.store.attempts().values()) == {1}
    sound(place.study)


@pytest.mark.slow
def test_a_kill_costs_nothing_there_either(every_kind: Calm, tmp_path: Path) -> None:
    place = Place(tmp_path / "place", change=NO_LINKS)
    assert killed_and_launched_again(place, every_kind, 1, "within", r"^train/.*/done-")

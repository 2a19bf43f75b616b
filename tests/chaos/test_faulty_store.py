"""A store that fails now and then, or is slow: launches end right or with one line, and the numbers are the same."""

from pathlib import Path

import pytest
from boundaries import Calm, Place
from launching import GRIDS, sound

pytestmark = pytest.mark.timeout(900)
PATH = f"import sys; sys.path.insert(0, {str(GRIDS)!r})"
EVERY = 350  # of so many calls, one fails; a launch makes about 1500
MOST = 20  # launches
LATER = "copies the record later"  # to MLflow


def faulty(folder: Path, query: str) -> Place:
    store = folder / "store"
    return Place(folder / "place", [f"launch.store=components.faulty://{store}?{query}"], PATH, store)


def test_launches_go_on_until_all_is_done(every_kind: Calm, tmp_path: Path) -> None:
    place, finished, codes, said = faulty(tmp_path, f"every={EVERY}"), {}, [], ""
    while not codes or codes[-1] != 0 or LATER in " ".join(said.split()):
        assert len(codes) < MOST, codes
        code, said = place.launch()
        codes.append(code)
        assert code in (0, 1, 2), said
        assert "Traceback" not in said, said
        if code:
            assert any(words in said for words in ("facegrid: the store", "unfinished", "cannot be written")), said
        attempts = place.store.attempts()
        assert {key: attempts[key] for key in finished} == finished, "what was done stays"
        assert place.store.contents().items() <= every_kind.contents.items()
        assert not [key for key in attempts if place.store.ledger.failure(*key)], "no stage is at fault"
        finished = place.store.finished()
    assert len(codes) > 1, "some launch met an error"
    assert place.store.contents() == every_kind.contents
    sound(place.study)


@pytest.mark.slow
def test_a_launch_gets_through_slow_writes(every_kind: Calm, tmp_path: Path) -> None:
    place = faulty(tmp_path, "pause=0.1")
    code, said = place.launch()
    assert code == 0, said
    assert place.store.contents() == every_kind.contents
    assert set(place.store.attempts().values()) == {1}
    sound(place.study)

"""Two studies that want the same stages of one store are launched at once: each stage is computed once, and both end."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from boundaries import Calm, Place
from launching import sound

pytestmark = pytest.mark.timeout(900)


@pytest.mark.slow
def test_a_stage_that_two_launches_want_is_computed_once(every_kind: Calm, tmp_path: Path) -> None:
    where = [f"launch.store={tmp_path / 'store'}"]
    places = [Place(tmp_path / name, where, store=tmp_path / "store") for name in "ab"]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(Place.launch, places))
    for code, said in ended:
        assert code == 0, said
        assert "Traceback" not in said
    store = places[0].store
    assert store.contents() == every_kind.contents
    assert set(store.attempts().values()) == {1}
    began = [json.loads((place.study / "lock" / "000001.json").read_text())["time"] for place in places]
    assert max(began) < max(marker.started for marker in store.markers().values()), "they ran at the same time"
    for place in places:
        sound(place.study)

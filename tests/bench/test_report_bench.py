"""Reports of hundreds of cells: what they take to build, how large the page is, and when a browser can use it."""

import os
import time

import pytest
from chrome import chromium, running
from invented_study import build_study

from grid.analysis import observations
from grid.report.build import build

CELLS = int(os.environ.get("CELLS", "500"))
# of known subjects, a quarter as many; 0: 600 of unknown subjects, whose comparisons take less
PAIRS = int(os.environ.get("PAIRS", "0"))


class Subjects(dict[str, str]):
    """Each image's folder is its subject."""

    def __missing__(self, key: str) -> str:
        return key.partition("/")[0]

    def __contains__(self, key: object) -> bool:
        return True


def subjects(*_: object) -> Subjects:
    return Subjects()


@pytest.mark.bench
def test_a_report_of_hundreds_of_cells_is_small_and_usable(tmp_path, monkeypatch):
    axes = {
        "backbone": ["alexnet", "resnet34", "efficientnet_b1", "nn1", "nn2"],
        "detection": ["none", "mtcnn"],
        "pretraining": ["none", "imagenet"],
        "loss": [f"loss_{number}" for number in range(CELLS // 20)],
    }
    monkeypatch.setattr(observations, "identities", subjects if PAIRS else observations.identities)
    study = build_study(tmp_path / "study", axes=axes, images=10, pairs=PAIRS or 600, named=bool(PAIRS))
    start = time.process_time()
    page = build(study)
    seconds, size = time.process_time() - start, page.stat().st_size / 1e6
    rest = sum(file.stat().st_size for file in page.parent.iterdir()) / 1e6 - size
    known = f"{PAIRS} pairs of known subjects" if PAIRS else "600 pairs of unknown subjects"
    print(f"\n{CELLS} cells, {known}: {seconds:.1f} s of processor, page {size:.1f} MB, other files {rest:.1f} MB")
    assert size < (50 if CELLS <= 500 else 60)
    assert seconds < (120 if PAIRS else 60) * CELLS / 500
    chromium()
    with running(tmp_path) as browser:
        tab = browser.tab()
        tab.size(1440, 900)
        start = time.perf_counter()
        tab.go(page.as_uri())
        tab.until("document.readyState === 'complete'", 120)
        tab.js("document.querySelector('.filter input').click()")
        shown = tab.js("document.querySelector('.filter .shown').textContent")
        print(f"usable after {time.perf_counter() - start:.1f} s; {tab.js('document.querySelectorAll(`*`).length')} elements")
        assert shown == f"{CELLS - CELLS // 5} of {CELLS}"
        assert not tab.said

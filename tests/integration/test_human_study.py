"""A human study from a finished study to its report: the real command line, collector and browser."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chrome import Browser, Tab, running
from command import Run
from human_studies import ROOT, bundle, collecting, post, raw
from launching import Store, grid, here

from grid.human_study.answers import Answers
from grid.human_study.design import Design, read_design
from grid.human_study.export import open_answers
from grid.human_study.judgments import finished
from grid.results.heatmap import overlaid, resized

pytestmark = pytest.mark.timeout(900)
TINY = Path("studies", "tiny")
MAKE = ("study", "make", TINY, "--where", "head=narrow", "--protocol", "drawn", "--pairs", "12", "--accuracy", "0.5")
GROUPS = ("--groups", "{name: pair_occlusion, patch: 32, stride: 32}, gradient")


@dataclass(frozen=True)
class Made:
    folder: Path
    design: Design
    said: str
    attempts: dict[Any, int]

    @property
    def bundle(self) -> Path:
        return self.folder / TINY / "human_study"


def make(made: Made) -> list[object]:
    """The command that made the bundle, from any folder."""
    return [made.folder / TINY if word == TINY else word for word in (*MAKE, *GROUPS)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The bundle of a launched study."""

    def change(tree: dict[str, Any]) -> None:
        del tree["axes"]["detection"], tree["axes"]["pretraining"], tree["skip"]
        tree["base"]["recipe"]["epochs"] = 1
        tree["launch"] = {"executor": "local"}
        tree["protocols"] = [{"name": "drawn", "subjects": 20, "shots": 4, "size": 64, "folds": 5, "pairs_per_fold": 40}]

    folder = tmp_path_factory.mktemp("human")
    here(folder, "launch", grid(folder / "tiny.yaml", change), "--where", "head=narrow")
    said = here(folder, *MAKE, *GROUPS)
    return Made(folder, read_design(folder / TINY / "human_study"), said, Store(folder / TINY / "store").attempts())


def test_the_network_decides_the_wished_share_of_the_selected_pairs(made: Made) -> None:
    """By the scores in the ledger, and the threshold of the protocol."""
    import pyarrow.parquet as pq

    (scores,) = (made.folder / TINY / "store").glob("evaluate/*/*/scores.parquet")
    known = {(row["left"], row["right"]): row for row in pq.read_table(scores).to_pylist()}
    design = made.design
    assert len(design.pairs) == 12
    for pair in design.pairs:
        row = known[pair.left, pair.right]
        assert (pair.same, pair.score) == (row["same"], row["score"])
        assert pair.accepted == (row["score"] >= design.threshold)
    assert design.network_correct.mean() == 0.5
    assert design.rule["selected"] == dict.fromkeys(("true accept", "false reject", "true reject", "false accept"), 3)
    assert design.rule["threshold_from"] == "the most accurate threshold"
    assert "the network decides 50.0 % correctly" in made.said


def test_the_maps_are_those_of_the_explain_stages_of_these_pairs(made: Made) -> None:
    import cv2

    store = made.folder / TINY / "store"
    manifests = {
        json.loads(file.read_text())["method"]: file.parent
        for file in store.glob("explain/*/*/manifest.json")
        if json.loads(file.read_text())["config"].get("chosen")
    }
    assert [group.title for group in made.design.groups] == ["pair_occlusion", "gradient"]
    for group in made.design.groups:
        folder = manifests[group.title]
        about = json.loads((folder / "manifest.json").read_text())
        keys = [image["key"] for image in about["images"]]
        assert keys == [key for pair in made.design.pairs for key in (pair.left, pair.right)]
        kind, _, clipped = group.map.partition(",")
        maps = np.load(folder / next(one["file"] for one in about["maps"] if one["name"] == kind))
        crops = np.load(folder / "images.npy")
        if group.title == "pair_occlusion":
            assert (kind == "normalized") == ("normalized" in [one["name"] for one in about["maps"]])
            assert clipped or group.high == 1.0
            assert not group.signed
            maps = np.maximum(maps, 0.0)
        else:
            assert group.high == pytest.approx(np.quantile(np.abs(maps), 0.995))
        for at in (0, 7):
            file = made.bundle / "public/maps" / group.letter / f"{made.design.pairs[at].id}-right.jpg"
            drawn = cv2.imread(str(file))[..., ::-1].astype(int)
            wanted = overlaid(resized(crops[2 * at + 1], 320), maps[2 * at + 1], group.low, group.high)
            assert np.abs(drawn - wanted).mean() < 4


def test_making_it_again_computes_nothing_and_draws_the_same_pairs(made: Made, tmp_path: Path) -> None:
    here(made.folder, *MAKE, *GROUPS, "--to", tmp_path / "again")
    again = read_design(tmp_path / "again")
    assert Store(made.folder / TINY / "store").attempts() == made.attempts
    assert [(pair.left, pair.right) for pair in again.pairs] == [(pair.left, pair.right) for pair in made.design.pairs]
    assert not {pair.id for pair in again.pairs} & {pair.id for pair in made.design.pairs}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--protocol", "sllfw"), r"--protocol 'sllfw': .* \(there: drawn\)"),
        (("--pairs", "5000"), r"--pairs 5000 at --accuracy 0.5 need .* take at most --pairs \d+"),
        (("--groups", "gradcamm"), "gradcamm"),
        (("--include-accuracy", "0.9:0.2"), "the lower one first"),
        (("--where", "head=wide"), "a human study takes one cell"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_bundle(
    made: Made, run: Run, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    said = run(*make(made), "--to", tmp_path / "none", *words)
    assert said.code == 2
    assert re.search(message, said.err.replace("\n", " "))
    assert not (tmp_path / "none").exists()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(tmp_path_factory.mktemp("chrome")) as found:
        yield found


def consent(tab: Tab, url: str) -> None:
    tab.go(url)
    tab.until("document.querySelector('#agree')")
    assert tab.js("document.querySelector('#start').disabled")
    tab.js("document.querySelector('#agree').click()")
    tab.js("document.querySelector('#start').click()")


def begin(tab: Tab) -> None:
    tab.until("document.querySelector('#go')")
    tab.js("document.querySelector('#go').click()")


def pair_shown(tab: Tab, number: int, count: int = 20) -> str:
    """The id of the pair that is open, once its choices can be made."""
    at = f"document.querySelector('#where')?.textContent === 'Pair {number} of {count}'"
    tab.until(f"{at} && document.querySelector('.choices button:enabled')")
    return str(tab.js(r"document.querySelector('.images img').src.match(/faces\/(\w+)-left/)[1]"))


def test_a_whole_session_of_20_pairs_by_keys_and_clicks_closed_and_resumed(browser: Browser, tmp_path: Path) -> None:
    design = bundle(tmp_path)
    given: dict[tuple[int, str], int] = {}
    with collecting(tmp_path) as (url, _):
        tab = browser.tab()
        consent(tab, url)
        for part in (1, 2):
            begin(tab)
            for number in range(1, 21):
                if (part, number) in ((1, 8), (2, 13)):  # the participant closes the tab and comes back
                    assert tab.said == []
                    tab.close()
                    tab = browser.tab()
                    tab.go(url)
                    begin(tab)
                pair = pair_shown(tab, number)
                images = tab.js("[...document.querySelectorAll('.images img')].map((image) => image.naturalWidth > 0)")
                assert images == [True] * 2 * part
                choice = 1 + (number * part) % 5
                given[part, pair] = choice
                if number % 2:
                    tab.key(str(choice))
                else:
                    tab.js(f"document.querySelector('.choices button[value=\"{choice}\"]').click()")
        tab.until("document.body.innerText.includes('Thank you')")
        assert tab.said == []
        fetched = tab.js("performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)")
        assert set(fetched) == {url.rstrip("/")}
        page = tab.js("document.documentElement.outerHTML")
        assert not re.search(r"(?i)\bcorrect\b|\bright answer\b", page)
        tab.go(url)  # nothing is asked twice
        tab.until("document.body.innerText.includes('Thank you')")
        tab.js("localStorage.clear()")
        tab.close()
    _, answers = open_answers(tmp_path)
    stored = {(one.number, one.pair): one.choice for one in answers.all()}
    assert stored == given
    assert len(stored) == 40
    assert all(one.milliseconds < 60_000 for one in answers.all())
    assert finished(design, answers.all()).choices.shape == (1, 2, 20)


def test_two_tabs_of_one_participant_give_one_answer_to_each_pair(browser: Browser, tmp_path: Path) -> None:
    bundle(tmp_path, pairs=4)
    with collecting(tmp_path) as (url, _):
        first, second = browser.tab(), browser.tab()
        consent(first, url)
        begin(first)
        pair_shown(first, 1, 4)
        second.go(first.js("location.href"))
        begin(second)
        pair = pair_shown(second, 1, 4)
        first.key("1")
        pair_shown(first, 2, 4)
        second.key("5")  # the same pair, answered otherwise: this tab goes on where the other is
        second.until("document.querySelector('#go')?.textContent === 'Go on'")
        begin(second)
        pair_shown(second, 2, 4)
        first.js("localStorage.clear()")
        first.close()
        second.close()
    _, answers = open_answers(tmp_path)
    assert [(one.pair, one.choice) for one in answers.all()] == [(pair, 1)]


def test_the_page_waits_for_a_collector_that_was_killed_and_sends_the_answer_again(browser: Browser, tmp_path: Path) -> None:
    bundle(tmp_path, pairs=3)
    with collecting(tmp_path) as (url, process):
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        tab = browser.tab()
        consent(tab, url)
        begin(tab)
        pair_shown(tab, 1, 3)
        tab.key("2")
        pair_shown(tab, 2, 3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        tab.key("4")
        tab.until("!document.querySelector('#trouble').hidden")
        assert tab.js("document.querySelectorAll('.choices button:enabled').length") == 0
    with collecting(tmp_path, port):
        pair_shown(tab, 3, 3)
        assert tab.js("document.querySelector('#trouble').hidden")
        tab.js("localStorage.clear()")
        tab.close()
    _, answers = open_answers(tmp_path)
    assert [one.choice for one in answers.all()] == [2, 4]


def test_kill_9_loses_no_acknowledged_answer(tmp_path: Path) -> None:
    """Ten participants answer at once; the collector is killed in the middle, twice."""
    bundle(tmp_path, pairs=60)
    acknowledged: list[tuple[str, int, str, int]] = []
    tokens: list[str] = []

    def answer(url: str, token: str, seed: int) -> None:
        generator = np.random.default_rng(seed)
        try:
            _, _, body = raw(url, "GET", "/api/session", Authorization=f"Bearer {token}")
            session = json.loads(body)
            trials = [(1 + part, pair) for part, order in enumerate(session["orders"]) for pair in order]
            for number, pair in trials[session["done"] :]:
                choice = int(generator.integers(1, 6))
                status, _ = post(url, "/api/answer", {"pass": number, "pair": pair, "choice": choice, "milliseconds": 1}, token)
                if status == 200:
                    acknowledged.append((token, number, pair, choice))
        except (OSError, ValueError):
            return  # the collector was killed
        except Exception:  # http.client's own errors of a connection that ends
            return

    for round_ in range(2):
        with collecting(tmp_path) as (url, process):
            while len(tokens) < 10:
                tokens.append(post(url, "/api/join", {"consent": True})[1]["token"])
            before = len(acknowledged)
            threads = [threading.Thread(target=answer, args=(url, token, 10 * round_ + at)) for at, token in enumerate(tokens)]
            for thread in threads:
                thread.start()
            while len(acknowledged) < before + 150:
                assert any(thread.is_alive() for thread in threads)
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
    answers = Answers(tmp_path, read_design(tmp_path))
    numbers = {token: answers.participant(token) for token in tokens}
    stored = {(one.participant, one.number, one.pair): one.choice for one in answers.all()}
    assert len(acknowledged) >= 300
    for token, number, pair, choice in acknowledged:
        person = numbers[token]
        assert person is not None
        assert stored[person.id, number, pair] == choice
    assert len(stored) <= len(acknowledged) + 2 * 10  # stored but not acknowledged: at most one each and kill


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_scrolls_sideways_and_a_choice_is_in_reach(browser: Browser, made: Made, tmp_path: Path, width: int) -> None:
    bundle(tmp_path, pairs=2)
    with collecting(tmp_path) as (url, _):
        tab = browser.tab()
        tab.size(width, 844, mobile=width < 500)
        consent(tab, url)
        for part in (1, 2):
            begin(tab)
            for number in (1, 2):
                pair_shown(tab, number, 2)
                assert tab.js("document.documentElement.scrollWidth") <= width  # a phone widens its window instead of scrolling
                last = tab.js("document.querySelector('.choices button:last-child').getBoundingClientRect().bottom")
                assert last <= 844, (part, last)
                boxes = tab.js("[...document.querySelectorAll('.choices button')].map((one) => one.offsetHeight)")
                assert min(boxes) >= 36
                tab.key("1")
        tab.until("document.body.innerText.includes('Thank you')")
        tab.js("localStorage.clear()")
        tab.close()


def test_one_command_makes_and_serves_a_study_and_others_rehearse_export_and_analyze_it(
    made: Made, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    command = [sys.executable, "-m", "facegrid", *map(str, (*MAKE, *GROUPS, "--to", folder, "--serve", "--port", "0"))]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/grids'}"}
    process = subprocess.Popen(
        command, cwd=made.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        url = next(found[0] for line in lines if (found := re.search(r"http://127.0.0.1:\d+/", line)))
        said = run("study", "simulate", folder, "--url", url, "--participants", "8", "--benefit", "0.1")
        assert "8 simulated participants gave 192 answers" in said.out
    finally:
        process.kill()
        process.wait()
    assert run("study", "export", folder, "--to", tmp_path / "answers.csv").code == 0
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 193
    for spelling in ("analyze", "analyse"):
        facts = json.loads(run("study", spelling, folder, "--json").out)
        assert facts["joined"] == {"A": 4, "B": 4}
        assert facts["samples"][0]["participants"] == 8
        assert facts["network_accuracy"] == 0.5
    assert (folder / "report" / "index.html").stat().st_size > 10_000
    assert "50 per group" in run("study", "simulate", "--simulations", "5", "--pairs", "20").out
    assert "give the address" in run("study", "simulate", folder).err


@pytest.mark.parametrize(
    "words", [("simulate", "--simulations", "0"), ("simulate", "--accuracy", "76"), ("serve", "here", "--port", "70000")]
)
def test_a_number_out_of_range_is_refused_with_its_option(run: Run, words: tuple[str, ...]) -> None:
    said = run("study", *words)
    assert said.code == 2
    assert f"Invalid value for '{words[-2]}'" in said.err

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from human_studies import bundle

from configs.component import file_digest
from grid.human_study.answers import Answers
from grid.human_study.bundle import PAGES, WEB, check_target
from grid.human_study.design import ANSWERS, PUBLIC, TEXTS, read_design
from grid.results.heatmap import overlaid, resized
from grid.spec.grid_file import BadInput

ROOT = Path(__file__).resolve().parents[4]


def test_every_public_file_is_listed_with_its_digest_and_nothing_public_reveals_the_truth(tmp_path: Path) -> None:
    design = bundle(tmp_path / "bundle")
    public = tmp_path / "bundle" / PUBLIC
    files = {file.relative_to(public).as_posix(): file_digest(file) for file in public.rglob("*") if file.is_file()}
    assert design.files == files
    assert len(files) == len(PAGES) + 3 + 20 * 2 * 4  # a scale per group; each pair alone and with three maps
    for name in files:
        assert "same" not in name
        assert not any(key in name for pair in design.pairs for key in (pair.left, pair.right))
    text = "".join((public / name).read_text() for name in ("index.html", "study.js"))
    assert not any(pair.id in text for pair in design.pairs)


def test_maps_of_a_group_are_drawn_on_its_one_scale(tmp_path: Path) -> None:
    """A map of half the height has half the color, so participants can compare pairs."""
    from human_studies import GroupMaps, write_bundle

    from grid.human_study.design import Group, Inclusion

    crops = np.full((2, 2, 16, 14, 3), 90, np.uint8)
    maps = np.stack([np.full((2, 8, 7), 0.5, np.float32), np.full((2, 8, 7), 1.0, np.float32)])
    group = Group(letter="A", title="gradient", map="", low=0.0, high=1.0, signed=False, config={})
    about = {"name": "n", "study": "s", "cell": "c", "protocol": "p", "checkpoint": "0"}
    pairs = [("a", "b", True, 0.9), ("c", "d", False, 0.9)]
    design = write_bundle(tmp_path / "b", about, {"threshold": 0.5}, Inclusion(), pairs, [GroupMaps(group, crops, maps)])
    for number, pair in enumerate(design.pairs):
        drawn = cv2.imread(str(tmp_path / "b" / PUBLIC / f"maps/A/{pair.id}-left.jpg"))[..., ::-1]
        wanted = overlaid(resized(crops[number, 0], 320), maps[number, 0], 0.0, 1.0)
        assert np.abs(drawn.astype(int) - wanted).max() < 8  # JPEG
    assert [pair.accepted for pair in design.pairs] == [True, True]


def test_edited_texts_are_not_overwritten(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle")
    file = tmp_path / "bundle" / TEXTS
    edited = file.read_text(encoding="utf-8").replace("TO BE COMPLETED by the team", "The team")
    file.write_text(edited, encoding="utf-8")
    with pytest.raises(BadInput, match=r"texts.json: it was edited, and a new bundle would replace it"):
        bundle(tmp_path / "bundle")
    assert file.read_text(encoding="utf-8") == edited


def test_a_bundle_with_participants_and_other_folders_are_not_overwritten(tmp_path: Path) -> None:
    design = bundle(tmp_path / "bundle")
    answers = Answers(tmp_path / "bundle", design)
    answers.join()
    answers.close()
    with pytest.raises(BadInput, match="has participants; give another --to"):
        bundle(tmp_path / "bundle")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(BadInput, match="is no bundle"):
        check_target(tmp_path / "other")
    assert read_design(tmp_path / "bundle") == design


def test_a_bundle_whose_collector_ran_without_participants_may_be_made_again(tmp_path: Path) -> None:
    first = bundle(tmp_path / "bundle")
    Answers(tmp_path / "bundle", first).close()
    assert bundle(tmp_path / "bundle") != first
    assert not (tmp_path / "bundle" / ANSWERS).exists(), "it would belong to the design before"


def test_a_bundle_is_not_replaced_under_a_running_collector_nor_with_answers_that_cannot_be_read(tmp_path: Path) -> None:
    """Who joined afterwards would write into a file that is gone."""
    answers = Answers(tmp_path / "bundle", bundle(tmp_path / "bundle"))
    with pytest.raises(BadInput, match=r"in use or unreadable \(database is locked\); stop its collector"):
        bundle(tmp_path / "bundle")
    answers.join()
    answers.close()
    (tmp_path / "bundle" / ANSWERS).write_text("no database at all, but long enough to be read as one" * 20)
    with pytest.raises(BadInput, match=r"in use or unreadable \(file is not a database\)"):
        bundle(tmp_path / "bundle")


def test_the_pages_name_no_other_host_and_the_vendored_library_has_its_license_and_version() -> None:
    for name in PAGES:
        text = (WEB / name).read_text(encoding="utf-8")
        if name.startswith("jspsych/"):
            assert "sourceMappingURL" not in text
        elif name != "icon.svg":  # the namespace of SVG is a URL
            assert not re.search(r"https?:|//[a-z]", text.replace("// ", "")), name
    assert (WEB / "jspsych/VERSION").read_text().startswith("jspsych 8.")
    assert "The MIT License" in (WEB / "jspsych/LICENSE.txt").read_text()


def test_the_pages_belong_to_the_package() -> None:
    """The wheel takes everything in ``grid`` that git does not ignore."""
    import tomllib

    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "grid" in built["only-include"]
    ignored = (ROOT / ".gitignore").read_text().split()
    assert not any(part in {line.strip("/") for line in ignored} for name in PAGES for part in Path(name).parts)
    assert all((WEB / name).is_file() for name in PAGES)


def test_a_bundle_that_was_interrupted_can_be_made_again_and_the_one_before_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    place = tmp_path / "bundle"
    with monkeypatch.context() as patch:
        patch.setattr("grid.human_study.bundle.write_texts", killed)
        with pytest.raises(KeyboardInterrupt):
            bundle(place)
    assert not place.exists()
    before = bundle(place)
    with monkeypatch.context() as patch:
        patch.setattr("grid.human_study.bundle.write_texts", killed)
        with pytest.raises(KeyboardInterrupt):
            bundle(place)
    assert read_design(place) == before
    assert bundle(place) != before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]

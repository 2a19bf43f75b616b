"""What the `data` commands leave on disk and say, in this process."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import Run
from PIL import Image


@pytest.fixture
def people(tmp_path: Path, shared: Path) -> Path:
    """Three subjects of LFW, as a folder."""
    there = shared / "data" / "lfw" / "images"
    for who in ("George_W_Bush", "Tony_Blair", "Serena_Williams"):
        (tmp_path / "people" / who).mkdir(parents=True)
        for path in sorted((there / who).iterdir())[:3]:
            shutil.copy(path, tmp_path / "people" / who)
    return tmp_path / "people"


def facts(run: Run, *arguments: object, code: int = 0) -> dict[str, object]:
    said = run("data", *arguments, "--json")
    assert said.code == code, said.err
    found: dict[str, object] = json.loads(said.out)
    return found


def test_converted_shards_are_the_same_dataset(run: Run, people: Path, tmp_path: Path) -> None:
    source = facts(run, "check", "folder", f"root={people}")
    made = facts(run, "convert", "folder", f"root={people}", "--to", tmp_path / "shards", "--images-per-shard", 4)
    assert (made["images"], made["shards"], made["original"]) == (9, 3, True)
    assert facts(run, "check", "shards", f"root={tmp_path / 'shards'}")["digest"] == made["digest"] == source["digest"]
    said = run("data", "convert", "folder", f"root={people}", "--to", tmp_path / "shards")
    assert said.code == 2
    assert "is there already" in said.err


def test_a_sheet_shows_faces_and_what_training_sees(run: Run, people: Path, tmp_path: Path) -> None:
    detector = "{name: mtcnn, alignment: similarity}"
    arguments = ("show", "folder", f"root={people}", "--detector", detector, "--images", 3, "--size", 64)
    plain = facts(run, *arguments, "--to", tmp_path / "plain.png")
    changed = facts(run, *arguments, "--augment", "basic", "--to", tmp_path / "augmented.png")
    canvas = np.asarray(Image.open(tmp_path / "augmented.png"))
    assert canvas.shape[:2] == (changed["height"], changed["width"])
    assert changed["width"] > 5 * plain["width"]
    assert canvas.std() > 20
    said = run("data", "show", "folder", f"root={people}", "--augment", "basc")
    assert said.code == 2
    assert "did you mean 'basic'" in said.err


def test_an_audit_names_who_and_what_is_in_both(run: Run, people: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(people / "Tony_Blair", other / "somebody")
    Image.open(sorted((people / "Serena_Williams").iterdir())[0]).resize((200, 200)).save(other / "somebody" / "small.png")
    sets = (f"{{name: folder, root: {people}}}", f"{{name: folder, root: {other}}}")
    found = facts(run, "audit", *sets, code=1)
    assert (found["identical_pairs"], found["near_pairs"]) == (3, 0)
    assert facts(run, "audit", *sets, "--near", code=1)["near_pairs"] == 1
    shutil.rmtree(other / "somebody")
    shutil.copytree(people / "Tony_Blair", other / "x")
    for path in (other / "x").iterdir():
        Image.open(path).rotate(90).save(path)
    assert facts(run, "audit", *sets)["clean"] is True
    (other / "x").rename(other / "Tony_Blair")
    assert facts(run, "audit", *sets, code=1)["shared_identities"] == 1
    shutil.rmtree(other / "Tony_Blair")
    changed = (
        f"{{name: transformed, data: {{name: folder, root: {people}, space: s}}, transforms: [{{name: jpeg, quality: 30}}]}}"
    )
    assert facts(run, "audit", sets[0], changed, code=1)["identical_pairs"] > 0


def test_an_audit_that_cannot_be_done_is_not_told_as_overlap(run: Run, people: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("1\n")
    numbered = f"{{name: casia, root: {people}, names_file: {tmp_path / 'names.txt'}}}"
    for more, said in (((numbered, numbered), "names.txt, line 1"), ((numbered, numbered, "--bits", "16"), "--bits")):
        found = run("data", "audit", *more)
        assert found.code == 2
        assert said in found.err


def test_what_cannot_be_written_is_told_in_one_line(run: Run, people: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for arguments, said in (
        (("convert", "folder", f"root={people}", "--to", tmp_path / "file" / "x"), "Not a directory"),
        (("get", "lfw", f"root={tmp_path / 'file'}", "--base", "http://127.0.0.1:9"), "File exists"),
        (("get", "lfw", f"root={tmp_path}", "--base", "here"), "an address begins with http"),
        (("show", "folder", f"root={people}", "--to", tmp_path / "nowhere" / "x.png"), "name an image"),
        (("show", "folder", f"root={people}", "--to", tmp_path / "x"), "name an image"),
    ):
        found = run("data", *arguments)
        assert (found.code, found.err.count("\n")) == (2, 1), found.err
        assert said in found.err


def test_each_fact_has_a_line_and_what_is_bad_comes_last(run: Run, people: Path) -> None:
    (people / "Tony_Blair" / "empty.jpg").write_bytes(b"")
    lines = [line.split(maxsplit=1) for line in run("data", "check", "folder", f"root={people}").out.splitlines()]
    assert lines[:2] == [["dataset", "folder"], ["whole", "no"]]
    assert lines[-1] == ["bad", "Tony_Blair/empty.jpg: the file is empty"]
    read = f"{{name: folder, root: {people}, on_bad_image: skip}}"
    told = run("data", "audit", read, read).out
    assert "{" not in told
    assert "train rows         identical: " in told


def test_images_of_a_kind_that_is_not_read_are_told(run: Run, people: Path) -> None:
    assert "unread" not in facts(run, "check", "folder", f"root={people}")
    Image.new("RGB", (9, 9)).save(people / "Tony_Blair" / "moving.GIF")
    found = facts(run, "check", "folder", f"root={people}", code=1)
    assert found["whole"] is False
    assert str(found["unread"]).startswith("the image Tony_Blair/moving.GIF, of formats other than jpg, ")


def test_images_in_other_places_and_of_two_identities_are_told(run: Run, people: Path) -> None:
    first = sorted((people / "Tony_Blair").iterdir())[0]
    shutil.copy(first, people / "loose.jpg")
    (people / "Tony_Blair" / "more").mkdir()
    shutil.copy(first, people / "Tony_Blair" / "more" / "a.jpg")
    found = facts(run, "check", "folder", f"root={people}", code=1)
    assert found["whole"] is False
    assert found["misplaced"] == "2 images such as Tony_Blair/more/a.jpg, in other places than <identity>/<image>"
    (people / "somebody").mkdir()
    shutil.copy(first, people / "somebody" / "a.jpg")
    found = facts(run, "check", "folder", f"root={people}", code=1)
    assert found["conflicts"] == f"one file is there under two identities, such as Tony_Blair/{first.name} and somebody/a.jpg"


def test_a_part_of_a_known_set_is_not_whole(run: Run, people: Path) -> None:
    found = facts(run, "check", "lfw", f"root={people}", code=1)
    assert found["whole"] is False
    assert found["bad"] == {}
    assert found["absent"] == {
        "images": "only 9 of the 13,233 that the set has",
        "subjects": "only 3 of the 5,749 that the set has",
    }
    told = run("data", "check", "lfw", f"root={people}").out
    assert "absent    images: only 9 of the 13,233 that the set has\n" in told
    assert facts(run, "check", "folder", f"root={people}")["whole"] is True


def test_a_list_of_pairs_is_checked_by_its_name(run: Run, people: Path, tmp_path: Path) -> None:
    names = sorted(path.relative_to(people).as_posix() for path in people.rglob("*.jpg"))
    (tmp_path / "mine.txt").write_text("".join(f"{one} {names[1]} 1\n{one} {names[4]} 0\n" for one in (names[0], names[2])))
    data = f"data={{name: folder, root: {people}}}"
    words = (data, f"file={tmp_path / 'mine.txt'}", "layout=path_path_label", "folds=2")
    found = facts(run, "check", "pairs", *words)
    assert (found["protocol"], found["images"], found["pairs"], found["genuine"]) == ("pairs", 9, 4, 2)
    lines = (f"{names[0]} nobody.jpg 0", *(f"{one} {names[1]} 1" for one in (names[0], names[2])), f"{names[2]} {names[4]} 0")
    (tmp_path / "mine.txt").write_text("\n".join(lines))
    said = run("data", "check", "pairs", *words)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "mine.txt, line 1: names the image nobody.jpg" in said.err
    assert "no list" in run("data", "check", "sllfw", f"root={people}").err
    assert "the list sllfw has no public source" in run("data", "get", "sllfw").err


def test_ages_that_were_read_back_are_told(run: Run, people: Path, tmp_path: Path) -> None:
    (tmp_path / "fair" / "val").mkdir(parents=True)
    shutil.copy(next(people.rglob("*.jpg")), tmp_path / "fair" / "val" / "1.jpg")
    table = "file,age,gender,race\nval/1.jpg,9-Mar,Male,White\n"
    (tmp_path / "fair" / "fairface_label_val.csv").write_text(table)
    words = ("check", "fairface", f"root={tmp_path / 'fair'}", "split=val")
    assert "the age 9-Mar was 3-9" in run("data", *words).err
    assert facts(run, *words, "on_damaged_age=repair", code=1)["repaired"] == "1 ages that a spreadsheet had made dates"


def test_the_columns_of_a_dataset_are_told_with_their_types(run: Run, people: Path) -> None:
    found = facts(run, "check", "drawn", "subjects=2")
    assert found["columns"] == {"age": "9 classes", "age_years": "numbers (years)", "gender": "2 classes"}
    assert "columns" not in facts(run, "check", "folder", f"root={people}")

"""The protocols that are lists of pairs: each on a small copy of what its authors give out."""

import numpy as np
import pytest
from PIL import Image

from configs.lookup import known, resolve
from datamodules.manifest import Manifest


def image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value, value, value)).save(path)


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def lfw_names(root, people=("Ada", "Bob"), count=2, pattern="{who}/{who}_{no:04d}.jpg"):
    for who in people:
        for no in range(1, count + 1):
            image(root / pattern.format(who=who, no=no))


def pairs_of(value, cache):
    config = resolve("protocol", value)
    assert config.missing() is None, config.missing()
    manifest = config.dataset().scan(cache)
    found = config.pairs(manifest)
    names = [(manifest.keys[a], manifest.keys[b]) for a, b in zip(found.left, found.right, strict=True)]
    return names, found.same.tolist(), found.fold.tolist(), config


def test_any_list_on_any_dataset(tmp_path):
    lfw_names(tmp_path / "faces", count=3)
    put(tmp_path / "list.csv", "Ada_0001,Ada_0002,1\nAda_0001,Bob_0001,0\nAda_0001,Ada_0003,1\nAda_0002,Bob_0001,0\n")
    value = {"name": "pairs", "data": {"name": "folder", "root": str(tmp_path / "faces")}, "file": str(tmp_path / "list.csv")}
    value |= {"layout": "path_path_label", "folds": 2, "suffix": ".jpg"}
    with pytest.raises(
        ValueError, match=r"names the image Ada_0001\.jpg, which is not in the dataset, whose images are called Ada/Ada_0001"
    ):
        pairs_of(value, tmp_path / "cache")
    lines = ("a/Ada_0001,a/Ada_0002,1", "a/Ada_0001,b/Bob_0001,0", "a/Ada_0001,a/Ada_0003,1", "a/Ada_0002,b/Bob_0001,0")
    put(tmp_path / "list.csv", "\n".join(lines))
    for who in ("a", "b"):
        (tmp_path / "faces" / {"a": "Ada", "b": "Bob"}[who]).rename(tmp_path / "faces" / f"x{who}")
    names, same, fold, config = pairs_of(value | {"prefix": "x"}, tmp_path / "cache")
    assert names[:2] == [("xa/Ada_0001.jpg", "xa/Ada_0002.jpg"), ("xa/Ada_0001.jpg", "xb/Bob_0001.jpg")]
    assert (same, fold) == ([True, False, True, False], [0, 0, 1, 1])
    assert "file" not in config.identity()


def test_sllfw(tmp_path):
    lfw_names(tmp_path / "images")
    lines = ["Ada/Ada_0001.jpg", "Ada/Ada_0002.jpg", "Ada/Ada_0001.jpg", "Bob/Bob_0001.jpg"]
    put(tmp_path / "pair_SLLFW.txt", "\n".join([*lines, *lines]))
    names, same, fold, config = pairs_of({"name": "sllfw", "root": str(tmp_path), "folds": 2}, tmp_path / "cache")
    assert names[1] == ("Ada/Ada_0001.jpg", "Bob/Bob_0001.jpg")
    assert (same, fold) == ([True, False, True, False], [0, 0, 1, 1])
    assert config.dataset().namespace == "lfw"


def test_xqlfw(tmp_path):
    lfw_names(tmp_path / "faces", pattern="{who}/{who}_{no:04d}.png")
    put(tmp_path / "xqlfw_pairs.txt", "1\t1\nAda\t1\t2\nAda\t1\tBob\t2\n")
    names, same, _, config = pairs_of({"name": "xqlfw", "root": str(tmp_path / "faces"), "suffix": ".png"}, tmp_path / "cache")
    assert names == [("Ada/Ada_0001.png", "Ada/Ada_0002.png"), ("Ada/Ada_0001.png", "Bob/Bob_0002.png")]
    assert same == [True, False]
    assert config.dataset().namespace == "lfw"


@pytest.mark.parametrize(
    ("name", "pattern", "folded"), [("calfw", "{who}_{no:04d}.jpg", True), ("cplfw", "{who}_{no}.jpg", False)]
)
def test_calfw_and_cplfw(tmp_path, name, pattern, folded):
    people = [f"P_{i}" for i in range(10)]
    lfw_names(tmp_path / "aligned images", people, pattern=pattern)

    def file(who, no):
        return pattern.format(who=who, no=no)

    lines = [
        f"{file(who, 1)} {i + 1 if folded else 1}\n{file(who, 2)} {i + 1 if folded else 1}" for i, who in enumerate(people)
    ]
    lines += [f"{file(who, 1)} 0\n{file(people[(i + 1) % 10], 1)} 0" for i, who in enumerate(people)]
    put(tmp_path / f"pairs_{name.upper()}.txt", "\n".join(lines))
    names, same, fold, config = pairs_of({"name": name, "root": str(tmp_path)}, tmp_path / "cache")
    assert same == [True] * 10 + [False] * 10
    assert fold == [*range(10), *range(10)]
    assert names[0] == (file("P_0", 1), file("P_0", 2))
    assert config.dataset().namespace == "lfw"
    assert set(config.dataset().scan(tmp_path / "cache").identities) == set(people)


@pytest.mark.parametrize("layout", ["path_path_label", "label_path_path"])
def test_agedb30(tmp_path, layout):
    for name in ("0_MariaCallas_35_f.jpg", "1_MariaCallas_70_f.jpg", "2_JohnGielgud_20_m.jpg"):
        image(tmp_path / name)
    rows = [("0_MariaCallas_35_f", "1_MariaCallas_70_f", 1), ("0_MariaCallas_35_f", "2_JohnGielgud_20_m", 0)] * 10
    rows = [(c, a, b) for a, b, c in rows] if layout == "label_path_path" else rows
    put(tmp_path / "agedb_30_pair.txt", "\n".join(" ".join(map(str, row)) for row in rows))
    names, _, fold, _ = pairs_of(
        {"name": "agedb30", "root": str(tmp_path), "layout": layout, "suffix": ".jpg"}, tmp_path / "cache"
    )
    assert names[1] == ("0_MariaCallas_35_f.jpg", "2_JohnGielgud_20_m.jpg")
    assert fold == [i // 2 for i in range(20)]


def cfp(root):
    for subject in range(1, 4):
        for number in range(1, 3):
            image(root / f"Data/Images/{subject:03d}/frontal/{number:02d}.jpg")
            image(root / f"Data/Images/{subject:03d}/profile/{number:02d}.jpg")
    for letter, view in (("F", "frontal"), ("P", "profile")):
        names = [f"../Data/Images/{subject:03d}/{view}/{number:02d}.jpg" for subject in range(1, 4) for number in range(1, 3)]
        put(root / f"Protocol/Pair_list_{letter}.txt", "".join(f"{i} {name}\r\n" for i, name in enumerate(names, 1)))
    for fold in range(1, 11):
        for split in ("FF", "FP"):
            put(root / f"Protocol/Split/{split}/{fold:02d}/same.txt", "1,2\n")
            put(root / f"Protocol/Split/{split}/{fold:02d}/diff.txt", "1,3\n2,4\n")
    return root


@pytest.mark.parametrize(("compare", "view"), [("frontal_profile", "profile"), ("frontal_frontal", "frontal")])
def test_cfp(tmp_path, compare, view):
    names, same, fold, _ = pairs_of({"name": "cfp", "root": str(cfp(tmp_path)), "compare": compare}, tmp_path / "cache")
    assert names[:2] == [("001/frontal/01.jpg", f"001/{view}/02.jpg"), ("001/frontal/01.jpg", f"002/{view}/01.jpg")]
    assert same == [True, False, False] * 10
    assert fold == [i // 3 for i in range(30)]


def test_what_is_missing_is_said(tmp_path):
    for name in ("sllfw", "xqlfw", "calfw", "cplfw", "agedb30", "cfp"):
        missing = resolve("protocol", {"name": name, "root": str(tmp_path / "none")}).missing()
        assert str(tmp_path / "none") in missing.what
        assert missing.remedy
    lfw_names(tmp_path / "images")
    assert "pair_SLLFW.txt" in resolve("protocol", {"name": "sllfw", "root": str(tmp_path)}).missing().what
    with pytest.raises(ValueError, match=r"no list .*pair_SLLFW\.txt.*Weihong Deng"):
        resolve("protocol", {"name": "sllfw", "root": str(tmp_path)}).pairs(Manifest((), (), (), (), ()))
    cfp(tmp_path / "cfp")
    (tmp_path / "cfp/Protocol/Split/FP/10/diff.txt").unlink()
    assert (
        "10/diff.txt (1 lists are absent)" in resolve("protocol", {"name": "cfp", "root": str(tmp_path / "cfp")}).missing().what
    )


def test_they_are_all_found_by_name():
    assert {"pairs", "sllfw", "xqlfw", "calfw", "cplfw", "agedb30", "cfp", "lookalike"} <= set(known("protocol"))


def test_sllfw_with_the_pairs_of_view_2_is_view_2(shared, tmp_path):
    from datamodules.list_readers.lfw import read_list

    listed = read_list(shared / "data" / "lfw", "view2")
    put(tmp_path / "pair_SLLFW.txt", "\n".join(f"{a}\n{b}" for a, b in zip(listed.left, listed.right, strict=True)))
    config = resolve(
        "protocol", {"name": "sllfw", "root": str(shared / "data" / "lfw"), "file": str(tmp_path / "pair_SLLFW.txt")}
    )
    images = config.dataset().images()
    size = len(images)
    found = config.pairs(Manifest(*zip(*images, strict=True), (250,) * size, (250,) * size, ("",) * size))
    assert np.array_equal(found.same, listed.same)
    assert np.array_equal(found.fold, listed.fold)

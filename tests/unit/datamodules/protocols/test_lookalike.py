import numpy as np
import pytest

from datamodules.evaluation_sets.lookalike_lists import write_lookalikes
from datamodules.evaluation_sets.lookalikes import folds_of, mine
from datamodules.list_readers.lfw import read_list
from datamodules.manifest import Manifest
from datamodules.protocols.lookalike import LookalikeProtocolConfig

MINER = "0f" * 32


@pytest.fixture
def world(tmp_path):
    keys = [f"{who}/{who}_{no:04d}.jpg" for who in ("Ada", "Bob", "Eve", "Zoe") for no in (1, 2)]
    identities = [key.split("/")[0] for key in keys]
    for key in keys:
        (tmp_path / "images" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / key).write_bytes(b"")
    (tmp_path / "pairs.txt").write_text("2 1\nAda 1 2\nAda 1 Bob 1\nEve 1 2\nEve 1 Zoe 1\n")
    manifest = Manifest(tuple(keys), tuple(identities), (8,) * 8, (8,) * 8, ("",) * 8)
    mined = mine(np.eye(8) + 0.1, identities, folds_of(read_list(tmp_path, "view2")), 1)
    write_lookalikes(tmp_path / "mined.txt", mined, keys, MINER)
    return tmp_path, manifest


def test_genuine_pairs_stay_and_impostors_are_the_mined_ones(world):
    root, manifest = world
    config = LookalikeProtocolConfig(root=root, file=root / "mined.txt")
    assert config.missing() is None
    found = config.pairs(manifest)
    names = [(manifest.keys[a], manifest.keys[b]) for a, b in zip(found.left, found.right, strict=True)]
    assert names[:2] == [("Ada/Ada_0001.jpg", "Ada/Ada_0002.jpg"), ("Eve/Eve_0001.jpg", "Eve/Eve_0002.jpg")]
    assert names[2:] == [("Ada/Ada_0001.jpg", "Bob/Bob_0001.jpg"), ("Eve/Eve_0001.jpg", "Zoe/Zoe_0001.jpg")]
    assert found.same.tolist() == [True, True, False, False]
    assert found.fold.tolist() == [0, 1, 0, 1]


def test_it_tells_its_miner(world):
    assert LookalikeProtocolConfig(root=world[0], file=world[0] / "mined.txt").miner() == MINER


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("1\tAda/Ada_0001.jpg", "2\tAda/Ada_0001.jpg", r"line 3: Ada is not in fold 2 of View 2 but in fold 1"),
        ("Ada/Ada_0001.jpg", "Ann/Ann_0001.jpg", r"line 3: Ann is not in fold 1 of View 2 but in no fold"),
        ("Bob/Bob_0001.jpg", "Ada/Ada_0002.jpg", r"line 3: calls Ada and Ada two"),
        ("Bob/Bob_0001.jpg", "Bob/Bob_0009.jpg", r"line 3: names the image Bob/Bob_0009.jpg, which is not in the dataset"),
    ],
)
def test_a_mined_pair_that_does_not_fit_is_named(world, old, new, error):
    root, manifest = world
    text = (root / "mined.txt").read_text()
    assert old in text
    (root / "mined.txt").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=r"mined\.txt, " + error):
        LookalikeProtocolConfig(root=root, file=root / "mined.txt").pairs(manifest)


def test_each_fold_needs_as_many_impostors_as_view_2(world):
    root, manifest = world
    lines = (root / "mined.txt").read_text().splitlines()
    (root / "mined.txt").write_text("\n".join(lines[:3]))
    with pytest.raises(ValueError, match="fold 2 has 0 mined pairs where View 2 has 1 impostor pairs"):
        LookalikeProtocolConfig(root=root, file=root / "mined.txt").pairs(manifest)


def test_what_is_missing_is_said(world):
    root, _ = world
    assert "no list of mined pairs" in LookalikeProtocolConfig(root=root, file=root / "none.txt").missing().what
    (root / "pairs.txt").unlink()
    assert "pairs.txt" in LookalikeProtocolConfig(root=root, file=root / "mined.txt").missing().what

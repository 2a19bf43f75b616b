"""Datasets have len() and [i], and keep what they found."""

from pathlib import Path

import numpy as np
import pytest
from small import folder

import facegrid as fg
from grid.ledger.scratch import own_temporary_files


def test_a_folder_is_a_sequence_of_images(tmp_path: Path) -> None:
    faces = fg.datasets.Folder(folder(tmp_path / "faces", 10), cache=tmp_path / "cache")
    assert len(faces) == len(list(faces)) == 9
    assert faces[0].shape == (40, 40, 3)
    assert faces[0].dtype == np.uint8
    assert np.array_equal(faces[-1], faces[8])
    assert [image.mean() for image in faces[1:3]] == [faces[1].mean(), faces[2].mean()]
    assert faces.identities == tuple("aaabbbccc")
    assert faces.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert repr(faces) == "<folder: 9 images of 3 subjects>"
    with pytest.raises(IndexError):
        faces[9]


def test_the_dataset_of_a_protocol_is_opened_with_its_settings(tmp_path: Path) -> None:
    protocol = fg.protocols.Drawn(first=30, subjects=3, shots=2, size=64, pairs_per_fold=2, folds=2)
    faces = fg.datasets.Drawn(protocol.dataset(), cache=tmp_path)
    assert faces.config == protocol.dataset()
    pairs = protocol.pairs(faces.images.manifest)
    assert ((faces.labels[pairs.left] == faces.labels[pairs.right]) == pairs.same).all()


def test_a_second_use_reads_no_image_again(tmp_path: Path) -> None:
    place = folder(tmp_path / "faces", 10)
    assert len(fg.datasets.Folder(place, cache=tmp_path / "cache")) == 9
    before = sorted((tmp_path / "cache").rglob("*"))
    assert before
    assert len(fg.datasets.Folder(place, cache=tmp_path / "cache")) == 9
    assert sorted((tmp_path / "cache").rglob("*")) == before


def test_an_absent_folder_says_how_to_get_the_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no folder .*nowhere.*facegrid data get lfw"):
        len(fg.datasets.LFW(tmp_path / "nowhere"))


def test_the_cache_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grid.library.datasets import default_cache

    monkeypatch.setenv("FACEGRID_CACHE", str(tmp_path / "chosen"))
    assert default_cache() == tmp_path / "chosen"
    monkeypatch.delenv("FACEGRID_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg/facegrid"
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    outside = default_cache()
    assert outside.name.startswith("facegrid")
    with own_temporary_files():
        assert default_cache() == outside

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from configs.lookup import resolve
from datamodules.protocols.bin import BinProtocolConfig, folds


def png(value):
    packed = io.BytesIO()
    Image.new("RGB", (4, 4), (value, 0, 0)).save(packed, "PNG")
    return packed.getvalue()


def write(path, same):
    path.write_bytes(pickle.dumps(([png(value) for value in range(2 * len(same))], same), 4))
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "agedb.bin", [place % 3 == 0 for place in range(13)])


def test_images_2i_and_2i_plus_1_are_pair_i(file, tmp_path):
    protocol = BinProtocolConfig(root=file)
    dataset = protocol.dataset()
    manifest = dataset.scan(tmp_path / "cache")
    pairs = protocol.pairs(manifest)
    images = dataset.build(manifest)
    assert [images.image(row)[0, 0, 0] for row in pairs.left] == list(range(0, 26, 2))
    assert [images.image(row)[0, 0, 0] for row in pairs.right] == list(range(1, 26, 2))
    assert pairs.same.tolist() == [place % 3 == 0 for place in range(13)]
    assert pairs.fold.tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (pairs.left.dtype, pairs.right.dtype, pairs.same.dtype, pairs.fold.dtype) == (np.int64, np.int64, bool, np.int64)


def test_pairs_are_found_whatever_the_order_of_the_manifest(file, tmp_path):
    protocol = BinProtocolConfig(root=file)
    manifest = protocol.dataset().scan(tmp_path / "cache")
    turned = manifest.subset(range(25, -1, -1))
    assert [turned.keys[row] for row in protocol.pairs(turned).left] == list(manifest.keys[::2])


@pytest.mark.parametrize(("pairs", "count"), [(6000, 10), (7000, 10), (13, 10), (10, 10), (7, 3), (5, 1)])
def test_the_folds_are_those_of_scikit_learn(pairs, count):
    from sklearn.model_selection import KFold

    want = np.zeros(pairs, int)
    splits = KFold(count).split(want) if count > 1 else [(None, np.arange(pairs))]
    for fold, (_, test) in enumerate(splits):
        want[test] = fold
    assert folds(pairs, count).tolist() == want.tolist()


def test_fewer_pairs_than_folds_are_refused(tmp_path):
    protocol = BinProtocolConfig(root=write(tmp_path / "x.bin", [True, False]))
    with pytest.raises(ValueError, match=r"x\.bin: 2 pairs do not fill 10 folds"):
        protocol.pairs(protocol.dataset().scan(tmp_path / "cache"))


def test_a_pair_without_its_image_is_refused(file, tmp_path):
    protocol = BinProtocolConfig(root=file)
    manifest = protocol.dataset().scan(tmp_path / "cache")
    with pytest.raises(ValueError, match=r"agedb\.bin, offset \d+: pair 1 compares the image pair-000001/1, which is not in"):
        protocol.pairs(manifest.subset([0, 1, 2]))
    skipped = type(manifest)((), (), (), (), (), {"pair-000000/0": "truncated"})
    with pytest.raises(ValueError, match=r"pair 0 compares .*, which was skipped: truncated"):
        protocol.pairs(skipped)


def test_a_file_that_changed_after_the_scan_is_refused(file, tmp_path):
    protocol = BinProtocolConfig(root=file)
    manifest = protocol.dataset().scan(tmp_path / "cache")
    write(file, [True] * 13)
    with pytest.raises(ValueError, match="the file changed after it was scanned"):
        protocol.pairs(manifest)


def test_the_protocol_is_found_by_name(file):
    protocol = resolve("protocol", {"name": "bin", "root": str(file), "label": "AgeDB-30", "flip_test": True})
    assert protocol.title == "AgeDB-30"
    assert protocol.missing() is None
    assert BinProtocolConfig(root=file.with_name("none.bin")).missing() is not None
    assert protocol.identity() == {"name": "bin", "folds": 10, "flip_test": True, "overlap": "refuse"}

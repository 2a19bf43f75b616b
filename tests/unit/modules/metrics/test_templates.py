import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.metrics import templates as templates_of
from modules.metrics.templates import aggregate, media_sizes, score_pairs


def loop(features, templates, media, norm=False, detector=None):
    """A template at a time, a media at a time."""
    images = features if norm else features / np.linalg.norm(features, axis=1, keepdims=True)
    if detector is not None:
        images = images * detector[:, None]
    numbers = sorted(set(templates.tolist()))
    out = []
    for number in numbers:
        total = np.zeros(features.shape[1])
        for one in set(media[templates == number].tolist()):
            total += images[(templates == number) & (media == one)].mean(axis=0)
        out.append(total / np.linalg.norm(total))
    return numbers, np.array(out)


def images(n=120, size=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, size)), rng.integers(100, 115, n), rng.integers(0, 4, n), rng.random(n) + 0.1


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("detector", [False, True])
@pytest.mark.parametrize("block", [7, 1000])
def test_every_variant_is_its_loop(norm, detector, block, monkeypatch):
    monkeypatch.setattr(templates_of, "IMAGES", block)
    features, templates, media, scores = images()
    options = {"norm": norm, "detector": scores if detector else None}
    numbers, found = aggregate(features, templates, media, **options)
    expected, values = loop(features, templates, media, **options)
    assert numbers.tolist() == expected
    np.testing.assert_allclose(found, values, atol=1e-12)
    small = {name: value.astype(np.float32) if isinstance(value, np.ndarray) else value for name, value in options.items()}
    _, single = aggregate(features.astype(np.float32), templates, media, **small)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, values, atol=2e-6)


def test_the_variants_differ():
    features, templates, media, scores = images()
    found = [
        aggregate(features, templates, media, **options)[1].tobytes() for options in ({}, {"norm": True}, {"detector": scores})
    ]
    assert len(set(found)) == 3


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=1, max_size=30))
def test_media_are_counted_within_their_template(rows):
    templates, media = (np.array(column) for column in zip(*rows, strict=True))
    expected = [sum(1 for other in rows if other == row) for row in rows]
    assert media_sizes(templates, media).tolist() == expected


def test_order_of_images_changes_nothing_but_rounding():
    features, templates, media, _ = images()
    order = np.random.default_rng(1).permutation(len(features))
    one, two = aggregate(features, templates, media), aggregate(features[order], templates[order], media[order])
    assert one[0].tolist() == two[0].tolist()
    np.testing.assert_allclose(one[1], two[1], atol=1e-12)


def test_a_memory_map_will_do(tmp_path):
    features, templates, media, _ = images()
    np.save(tmp_path / "f.npy", features)
    stored = np.load(tmp_path / "f.npy", mmap_mode="r")
    assert aggregate(stored, templates, media)[1].tobytes() == aggregate(features, templates, media)[1].tobytes()


def test_traps_are_named(monkeypatch):
    monkeypatch.setattr(templates_of, "IMAGES", 4)
    features, templates, media, scores = images()
    for row, value in ((5, 0.0), (6, np.nan)):
        broken = features.copy()
        broken[row] = value
        with pytest.raises(ValueError, match=f"image of row {row}"):
            aggregate(broken, templates, media)
    with pytest.raises(ValueError, match="template 7"):
        aggregate(np.array([[1.0, 0], [-1, 0]]), np.array([7, 7]), np.array([0, 1]))
    with pytest.raises(ValueError, match="120 features and 119 detector scores"):
        aggregate(features, templates, media, detector=scores[:-1])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scores_of_pairs_are_dot_products_whatever_the_blocks(kind, monkeypatch):
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(50, 37)).astype(kind)
    left, right = rng.integers(0, 50, (2, 1003))
    found = score_pairs(embeddings, left, right)
    assert found.dtype == kind
    expected = [float(embeddings[a].astype(float) @ embeddings[b].astype(float)) for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-5 if kind == np.float32 else 1e-12)
    for block in (1, 7, 5000):
        monkeypatch.setattr(templates_of, "PAIRS", block)
        assert score_pairs(embeddings, left, right).tobytes() == found.tobytes()
    monkeypatch.setattr(templates_of, "TILE", 3)
    monkeypatch.setattr(templates_of, "CHUNK", 100)
    assert score_pairs(embeddings, left, right).tobytes() == found.tobytes()
    order = rng.permutation(1003)
    assert score_pairs(embeddings, left[order], right[order]).tobytes() == found[order].tobytes()
    assert score_pairs(embeddings, left[:0], right[:0]).shape == (0,)


def test_rows_that_do_not_exist_are_refused():
    embeddings, good = np.eye(3), np.array([0, 1])
    for bad in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(ValueError, match="there are 3 embeddings"):
            score_pairs(embeddings, good, bad)
    with pytest.raises(ValueError, match="one length"):
        score_pairs(embeddings, good, good[:1])

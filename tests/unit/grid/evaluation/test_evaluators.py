"""Evaluators against numbers counted by hand, on embeddings that are invented."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_curve

from configs.lookup import resolve
from datamodules.evaluation_sets.formed_pairs import formed_pairs
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.evaluation_sets.templates import Clustering, Comparisons, Identification, Templates
from datamodules.manifest import Manifest
from grid.evaluation import clustering, identification, templates, verification
from grid.evaluation.evaluator import Embedded
from modules.metrics.subject_bootstrap import subject_bootstrap
from modules.metrics.verifier import restricted

SUBJECTS, SHOTS, DIMENSION = 12, 6, 16
IJB = resolve("protocol", {"name": "drawn"})


def seen_of(folder: Path, drop: tuple[int, ...] = (), noise: float = 0.35) -> Embedded:
    """``SUBJECTS`` x ``SHOTS`` images, subject by subject; rows in ``drop`` have no face."""
    generator = np.random.default_rng(0)
    centers = np.repeat(generator.normal(size=(SUBJECTS, DIMENSION)), SHOTS, axis=0)
    vectors = centers + noise * generator.normal(size=centers.shape) * np.sqrt(DIMENSION / 4)
    count = len(vectors)
    people = [f"p{row // SHOTS:02d}" for row in range(count)]
    keys = tuple(f"{who}/{row:03d}.jpg" for row, who in enumerate(people))
    manifest = Manifest(keys, tuple(people), (64,) * count, (64,) * count, tuple(f"{row:064x}" for row in range(count)))
    rows = np.array([row for row in range(count) if row not in drop])
    return Embedded(manifest, rows, vectors[rows], folder)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def pairs() -> Pairs:
    generator = np.random.default_rng(1)
    left, right, same, fold = [], [], [], []
    for number in range(240):
        subject, kind = number % SUBJECTS, number < 120
        other = subject if kind else (subject + 1 + number % (SUBJECTS - 1)) % SUBJECTS
        one, two = generator.choice(SHOTS, 2, replace=False)
        left.append(subject * SHOTS + one)
        right.append(other * SHOTS + two)
        same.append(subject == other)
        fold.append(number % 4)
    return Pairs(np.array(left), np.array(right), np.array(same), np.array(fold))


def test_pairs_are_scored_by_their_cosine_and_dropped_faces_counted(tmp_path):
    asked = pairs()
    found = verification.evaluate(asked, seen_of(tmp_path, drop=(0, 7)), IJB)
    gone = sum(bool({left, right} & {0, 7}) for left, right in zip(asked.left, asked.right, strict=True))
    assert gone > 0
    assert (found.facts["pairs"], found.facts["dropped_pairs"]) == (240 - gone, gone)
    table = pq.read_table(tmp_path / "scores.parquet").to_pydict()
    whole = seen_of(tmp_path)
    place = {key: row for row, key in enumerate(whole.manifest.keys)}
    for left, right, score in zip(table["left"], table["right"], table["score"], strict=True):
        assert score == pytest.approx(unit(whole.vectors[place[left]]) @ unit(whole.vectors[place[right]]), abs=1e-12)


def test_every_named_accuracy_and_the_subjects_interval_are_reported(tmp_path):
    metrics = verification.evaluate(pairs(), seen_of(tmp_path), IJB).metrics
    assert set(metrics["modes"]) == {"ten_fold", "insightface", "youden", "best_threshold", "facenet", "facenet_mean"}
    assert metrics["modes"]["best_threshold"]["value"] == metrics["best_threshold"]["value"]
    assert metrics["modes"]["ten_fold"]["value"] == metrics["ten_fold"]["value"]
    low, high = metrics["auc"]["low"], metrics["auc"]["high"]
    assert metrics["auc"]["method"] == "subject jackknife"
    assert low < metrics["auc"]["value"] < high
    assert metrics["subjects"]["subjects"] == SUBJECTS


def test_failures_are_counted_inside_and_outside_the_rates_of_operating_points(tmp_path):
    asked, drop = pairs(), (0, 7)
    metrics = verification.evaluate(asked, seen_of(tmp_path, drop=drop), IJB).metrics
    lost = np.isin(asked.left, drop) | np.isin(asked.right, drop)
    point = metrics["operating_points"]["0.1"]
    assert point["fnmr"]["n"] == (asked.same & ~lost).sum()
    assert point["fnmr_with_failures"]["n"] == asked.same.sum()
    assert point["fnmr_with_failures"]["errors"] == point["fnmr"]["errors"] + (asked.same & lost).sum()
    assert point["fmr_with_failures"]["errors"] == point["fmr"]["errors"]
    used = np.unique(np.concatenate([asked.left, asked.right]))
    enroll = metrics["failure_to_enroll"]
    assert (enroll["errors"], enroll["n"]) == (np.isin(used, drop).sum(), len(used))


def test_an_embedding_without_direction_names_its_image(tmp_path):
    seen = seen_of(tmp_path)
    seen.vectors[4] = 0
    with pytest.raises(ValueError, match=r"image p00/004\.jpg has no direction \(norm 0\.0; 1 of 72"):
        verification.evaluate(pairs(), seen, IJB)


def template_set() -> Templates:
    """Two templates per subject: the first three images (two media) and the other three (one medium)."""
    rows = np.arange(SUBJECTS * SHOTS)
    numbers = rows // 3
    media = np.where(numbers % 2 == 0, rows % 2, 0)
    return Templates.of(rows, media, numbers, {number: number // 2 for number in range(2 * SUBJECTS)})


def literal_template(seen: Embedded, made: Templates, number: int) -> np.ndarray:
    total = np.zeros(DIMENSION)
    images = np.flatnonzero(made.template == number)
    for medium in set(made.media[images]):
        group = [unit(seen.vectors[made.rows[row]]) for row in images if made.media[row] == medium]
        total += np.mean(group, axis=0)
    return unit(total)


def test_templates_are_means_within_media_and_sums_over_them(tmp_path):
    seen, made = seen_of(tmp_path), template_set()
    vectors, place = templates.embedded_templates(made, seen, IJB)
    for number in range(len(made)):
        np.testing.assert_allclose(vectors[place[number]], literal_template(seen, made, number), atol=1e-12, rtol=0)


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("weighed", [True, False])
def test_ijbs_variants_n_and_d_reach_the_judge(tmp_path, norm, weighed):
    seen, made = seen_of(tmp_path), template_set()
    if weighed:
        scores = np.random.default_rng(3).random(len(made.rows)).astype(np.float32)
        made = dataclasses.replace(made, weights=scores)
    protocol = resolve("protocol", {"name": "ijb", "root": tmp_path, "norm": norm})
    vectors, place = templates.embedded_templates(made, seen, protocol)
    for number in range(len(made)):
        total = np.zeros(DIMENSION)
        images = np.flatnonzero(made.template == number)
        for medium in set(made.media[images]):
            rows = [row for row in images if made.media[row] == medium]
            group = [seen.vectors[made.rows[row]] * made.weights[row] for row in rows]
            lengths = [1.0 if norm else np.linalg.norm(seen.vectors[made.rows[row]]) for row in rows]
            total += np.mean([one / length for one, length in zip(group, lengths, strict=True)], axis=0)
        np.testing.assert_allclose(vectors[place[number]], unit(total), atol=1e-12, rtol=0)


def all_pairs(tmp_path):
    """(what was seen, templates, left, right, same) of every pair of templates; noisy enough that some are confused."""
    seen, made = seen_of(tmp_path, noise=0.8), template_set()
    left, right = np.triu_indices(len(made), 1)
    return seen, made, left, right, made.labels[left] == made.labels[right]


def test_the_point_of_public_evaluators_stands_beside_the_exact_one(tmp_path):
    seen, made, left, right, same = all_pairs(tmp_path)
    metrics = templates.evaluate(Comparisons(made, left, right, same), seen, IJB).metrics
    vectors = np.array([literal_template(seen, made, number) for number in range(len(made))])
    fpr, tpr, _ = roc_curve(same, (vectors[left] * vectors[right]).sum(1))
    for far in (0.1, 0.01):
        found = metrics["tar"][f"{far:g}"]
        index = np.abs(fpr[::-1] - far).argmin()
        point = (found["nearest"]["value"], found["nearest"]["far"])
        assert point == pytest.approx((tpr[::-1][index], fpr[::-1][index]), abs=1e-12, rel=0)
        assert found["far"] <= far


def test_templates_have_intervals_that_draw_subjects_anew(tmp_path):
    seen, made, left, right, same = all_pairs(tmp_path)
    unknown = dataclasses.replace(made, labels=np.full(len(made), -1))  # as IJB's lists leave it
    metrics = templates.evaluate(Comparisons(unknown, left, right, same), seen, IJB).metrics
    assert metrics["subjects"] == {"subjects": SUBJECTS, "resamples": 200}
    vectors = np.float32([literal_template(seen, made, number) for number in range(len(made))])
    scores = np.einsum("nd,nd->n", vectors[left], vectors[right])
    known = subject_bootstrap(
        scores, same, made.labels[left], made.labels[right], fars=[far for far in templates.FARS if far > 0.01], resamples=200
    )
    for entry, ends in ((metrics["auc"], known.auc), (metrics["eer"], known.eer), (metrics["tar"]["0.1"], known.val[0.1])):
        assert (entry["low"], entry["high"]) == pytest.approx(ends, abs=0.02)
        assert entry["low"] <= entry["value"] <= entry["high"]
    assert "low" not in metrics["tar"]["0.0001"]


def test_resamples_of_long_lists_see_fewer_levels_in_the_same_order(monkeypatch):
    monkeypatch.setattr(templates, "EXACT", 50)
    monkeypatch.setattr(templates, "BLOCK", 8)
    scores = np.random.default_rng(0).integers(0, 400, 1000).astype(np.float32) / 400
    levels = templates._levels(scores)
    order = np.argsort(-scores, kind="stable")
    assert (np.diff(levels[order]) <= 0).all(), "the order stays"
    assert all(len(np.unique(levels[scores == value])) == 1 for value in np.unique(scores)), "equal stays equal"
    top = scores >= scores[order[49]]
    assert len(np.unique(levels[top])) == len(np.unique(scores[top])), "the highest stay apart"
    assert len(np.unique(levels)) < len(np.unique(scores)) / 1.5
    assert np.array_equal(templates._levels(scores[:50]), scores[:50])


def test_a_list_that_contradicts_itself_has_no_intervals_and_says_why(tmp_path):
    seen, made, left, right, same = all_pairs(tmp_path)
    same[np.flatnonzero((left == 0) & (right == 2))] = same[np.flatnonzero((left == 1) & (right == 2))] = True
    same[np.flatnonzero((left == 0) & (right == 1))] = False  # yet 0 and 1 are both the subject of 2
    metrics = templates.evaluate(Comparisons(made, left, right, same), seen, IJB).metrics
    assert "is an impostor, but of" in metrics["subjects"]["reason"]
    assert "low" not in metrics["auc"]


def test_tar_is_counted_at_the_highest_rate_that_is_allowed(tmp_path):
    seen, made, left, right, same = all_pairs(tmp_path)
    metrics = templates.evaluate(Comparisons(made, left, right, same), seen, IJB).metrics
    vectors = np.array([literal_template(seen, made, number) for number in range(len(made))])
    scores = (vectors[left] * vectors[right]).sum(1)
    allowed = sorted(scores[~same])[::-1][: int(0.1 * (~same).sum())]
    highest_refused = sorted(scores[~same])[::-1][len(allowed)]
    assert metrics["tar"]["0.1"]["value"] == pytest.approx(np.mean(scores[same] > highest_refused), abs=1e-12, rel=0)
    assert "cannot show" in metrics["tar"]["0.0001"]["reason"]
    assert metrics["auc"]["value"] == pytest.approx(np.mean(scores[same][:, None] > scores[~same]), abs=1e-12, rel=0)


def test_a_template_without_faces_is_left_out_with_its_pairs(tmp_path):
    made = template_set()
    asked = Comparisons(made, np.array([0, 1, 2, 4, 0]), np.array([1, 2, 3, 5, 5]), np.array([1, 0, 1, 1, 0], bool))
    found = templates.evaluate(asked, seen_of(tmp_path, drop=(3, 4, 5)), IJB)
    assert (found.facts["pairs"], found.facts["dropped_pairs"]) == (3, 2)


def test_ranks_and_open_search_are_those_of_a_plain_search(tmp_path):
    seen, made = seen_of(tmp_path, noise=0.9), template_set()
    gallery = np.arange(0, 2 * SUBJECTS, 2)[:8]  # the first eight subjects; the others are unseen subjects
    probes = np.arange(1, 2 * SUBJECTS, 2)
    metrics = identification.evaluate(Identification(made, probes, (gallery,)), seen, IJB).metrics
    vectors = np.array([literal_template(seen, made, number) for number in range(len(made))])
    scores = vectors[probes] @ vectors[gallery].T
    ranks = [int((row > row[subject]).sum()) + 1 for subject, row in enumerate(scores[:8])]
    for rank in (1, 5, 10):
        assert metrics["cmc"][str(rank)]["value"] == pytest.approx(np.mean([found <= rank for found in ranks]))
        assert metrics["cmc"][str(rank)]["method"] == "bootstrap over probe subjects"
    assert (metrics["mated"], metrics["subjects"]) == ([8], {"subjects": SUBJECTS, "resamples": 1000})
    assert "cannot show" in metrics["dir"]["0.1"]["reason"]  # four unseen subjects


def test_a_gallery_entry_without_a_face_is_counted_and_its_subject_is_a_stranger(tmp_path):
    made = template_set()
    gallery, probes = np.arange(0, 2 * SUBJECTS, 2), np.arange(1, 2 * SUBJECTS, 2)
    gone = tuple(made.rows[made.template == gallery[2]].tolist())
    found = identification.evaluate(Identification(made, probes, (gallery,)), seen_of(tmp_path, drop=gone), IJB)
    assert (found.facts["dropped_gallery"], found.facts["dropped_probes"]) == (1, 0)
    assert (found.metrics["galleries"], found.metrics["mated"]) == ([SUBJECTS - 1], [SUBJECTS - 1])


def test_clusters_of_clear_subjects_are_the_subjects(tmp_path):
    count = SUBJECTS * SHOTS
    asked = Clustering(np.arange(count), np.arange(count) // SHOTS)
    metrics = clustering.evaluate(asked, seen_of(tmp_path, noise=0.05), IJB).metrics
    for way in ("k-means", "average linkage", "best threshold"):
        assert metrics["pairwise"][way]["value"] == 1.0, way
        assert metrics["bcubed"][way]["value"] == 1.0, way
    worse = clustering.evaluate(asked, seen_of(tmp_path, noise=1.5), IJB).metrics
    assert 0 < worse["pairwise"]["average linkage"]["value"] < 0.9
    assert worse["pairwise"]["best threshold"]["value"] >= worse["pairwise"]["average linkage"]["value"]
    assert set(pq.read_table(tmp_path / "clusters.parquet").column_names) == {"key", "subject", *metrics["pairwise"]}


@pytest.mark.parametrize("setting", ["restricted", "unrestricted"])
def test_a_setting_of_lfw_fits_a_verifier_per_fold(tmp_path, setting):
    """Folds without common subjects: those of number n modulo 4 are in fold n."""
    whole = pairs()
    fold = (whole.left // SHOTS) % 4
    inside = np.flatnonzero(((whole.left // SHOTS) % 4) == ((whole.right // SHOTS) % 4))
    asked = Pairs(whole.left[inside], whole.right[inside], whole.same[inside], fold[inside])
    protocol = resolve("protocol", {"name": "lfw", "root": str(tmp_path), "setting": setting})
    metrics = verification.evaluate(asked, seen_of(tmp_path), protocol).metrics
    assert metrics["setting"] == setting
    assert len(metrics["ten_fold"]["folds"]) == 4
    assert metrics["ten_fold"]["value"] > 0.7
    assert "verifier" in pq.read_table(tmp_path / "scores.parquet").column_names


def test_the_unrestricted_setting_scores_the_pairs_formed_from_identities(tmp_path):
    """Those with a dropped face excluded."""
    whole = pairs()
    fold = (whole.left // SHOTS) % 4
    inside = np.flatnonzero(fold == (whole.right // SHOTS) % 4)
    asked = Pairs(whole.left[inside], whole.right[inside], whole.same[inside], fold[inside])
    seen = seen_of(tmp_path, drop=(0, 7))
    protocol = resolve("protocol", {"name": "lfw", "root": str(tmp_path), "setting": "unrestricted"})
    assert verification.evaluate(asked, seen, protocol).outputs == ("scores.parquet", "formed_pairs.parquet")
    table = pq.read_table(tmp_path / "formed_pairs.parquet").to_pydict()
    every = formed_pairs(asked, seen.manifest.identities)
    rows = {key: row for row, key in enumerate(seen.manifest.keys)}
    found = {(rows[left], rows[right]) for left, right in zip(table["left"], table["right"], strict=True)}
    wanted = set(zip(every.left.tolist(), every.right.tolist(), strict=True))
    gone = {pair for pair in wanted if {0, 7} & set(pair)}
    assert gone
    assert found == wanted - gone
    vectors = seen_of(tmp_path).vectors
    for left, right, same, number, score in zip(*table.values(), strict=True):
        one, other = rows[left], rows[right]
        assert score == pytest.approx(unit(vectors[one]) @ unit(vectors[other]), abs=1e-12)
        assert same == (one // SHOTS == other // SHOTS)
        assert number == (one // SHOTS) % 4 == (other // SHOTS) % 4
    restricted = resolve("protocol", {"name": "lfw", "root": str(tmp_path), "setting": "restricted"})
    assert verification.evaluate(asked, seen, restricted).outputs == ("scores.parquet",)


def test_subjects_of_several_folds_are_counted(tmp_path):
    """Both subjects of a pair count; only folds without common subjects have none."""
    whole = pairs()
    subject = [whole.left // SHOTS, whole.right // SHOTS]
    places = {who: set(whole.fold[(subject[0] == who) | (subject[1] == who)].tolist()) for who in range(SUBJECTS)}
    wanted = sum(len(folds) > 1 for folds in places.values())
    assert wanted > 0
    assert verification.evaluate(whole, seen_of(tmp_path), IJB).metrics["subjects_in_several_folds"] == wanted
    fold = (whole.left // SHOTS) % 4
    inside = np.flatnonzero(fold == (whole.right // SHOTS) % 4)
    apart = Pairs(whole.left[inside], whole.right[inside], whole.same[inside], fold[inside])
    assert verification.evaluate(apart, seen_of(tmp_path), IJB).metrics["subjects_in_several_folds"] == 0


def test_a_setting_is_part_of_the_identity_and_needs_view_2(tmp_path):
    assert resolve("protocol", {"name": "lfw", "root": str(tmp_path)}).evaluation_identity() == {}
    assert resolve("protocol", {"name": "lfw", "root": str(tmp_path), "setting": "restricted"}).evaluation_identity() == {
        "setting": "restricted"
    }
    with pytest.raises(ValueError, match="only view 2 has"):
        resolve("protocol", {"name": "lfw", "root": str(tmp_path), "view": 1, "setting": "restricted"})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("both", {}),
        ("product", {"features": "product"}),
        ("siamese", {"features": "difference", "loss": "logistic"}),
        ("chi_square", {"features": "chi_square", "loss": "svm"}),
    ],
)
def test_the_verifier_of_the_restricted_setting_is_that_of_the_grid_file(tmp_path, name, arguments):
    asked, seen = pairs(), seen_of(tmp_path)
    seen = dataclasses.replace(seen, vectors=np.abs(seen.vectors))  # chi-square is defined for embeddings without a sign
    protocol = resolve("protocol", {"name": "lfw", "root": "/lfw", "setting": "restricted", "verifier": name})
    verification.evaluate(asked, seen, protocol)
    found = np.array(pq.read_table(tmp_path / "scores.parquet")["verifier"].to_pylist())
    expected = restricted(seen.units, asked.left, asked.right, asked.same, asked.fold, **arguments)
    assert found == pytest.approx(expected.scores)
    assert protocol.evaluation_identity().get("verifier", "both") == name


def test_a_search_in_two_galleries_has_every_public_reading(tmp_path):
    seen, made = seen_of(tmp_path, noise=0.9), template_set()
    galleries = (np.arange(0, SUBJECTS, 2), np.arange(SUBJECTS, 2 * SUBJECTS, 2))
    probes = np.arange(1, 2 * SUBJECTS, 2)
    metrics = identification.evaluate(Identification(made, probes, galleries), seen, IJB).metrics
    vectors = np.array([literal_template(seen, made, number) for number in range(len(made))])
    scores = vectors[probes] @ vectors[np.concatenate(galleries)].T
    ranks = [int((row > row[subject]).sum()) for subject, row in enumerate(scores)]
    readings, first = metrics["readings"], metrics["cmc"]["1"]
    assert first["low"] < first["value"] < first["high"], "two galleries have intervals, too"
    for rank in (1, 5, 10):
        found = readings["cmc"][str(rank)]
        assert found["exact"]["value"] == metrics["cmc"][str(rank)]["value"]
        assert found["joined"]["value"] == pytest.approx(np.mean(np.array(ranks) < rank), abs=1e-12)
    others = np.sort(scores[~np.eye(SUBJECTS, dtype=bool)])[::-1]
    hits = np.mean(np.diag(scores) > others[int(np.ceil(0.1 * SUBJECTS)) - 1])
    assert readings["dir"]["0.1"]["insightface"]["value"] == pytest.approx(hits, abs=1e-12)
    assert 0 < readings["dir"]["0.1"]["pfe"]["value"] <= 1
    assert readings["dir"]["0.1"]["exact"] == {"value": None, "reason": metrics["dir"]["0.1"]["reason"]}
    alone = identification.evaluate(Identification(made, probes, galleries[:1]), seen, IJB).metrics["readings"]
    assert "no single mate in the joined galleries" in alone["dir"]["0.1"]["insightface"]["reason"]


def test_a_closed_set_has_no_open_reading(tmp_path):
    seen, made = seen_of(tmp_path), template_set()
    asked = Identification(made, np.arange(1, 2 * SUBJECTS, 2), (np.arange(0, 2 * SUBJECTS, 2),))
    found = identification.evaluate(asked, seen, IJB).metrics["readings"]["dir"]["0.1"]
    assert "needs mated and non-mated probes" in found["pfe"]["reason"]
    assert found["insightface"]["value"] is not None

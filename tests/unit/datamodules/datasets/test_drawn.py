import io
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from datamodules.ages import AGES, age_band
from datamodules.datasets.drawn import DrawnDatasetConfig, DrawnFaces
from datamodules.synthetic_faces import drawing
from datamodules.synthetic_faces.drawn_faces import identity
from datamodules.synthetic_faces.population import SWAPS, subject

SMALL = {"subjects": 3, "shots": 2, "size": 96}
CACHE = Path("never written")


def faces(**settings) -> DrawnFaces:
    config = DrawnDatasetConfig(**(SMALL | settings))
    return config.build(config.manifest(CACHE))


def test_the_manifest_needs_no_scan_and_names_subjects_and_shots():
    manifest = DrawnDatasetConfig(**SMALL, first=12).manifest(CACHE)
    assert manifest.keys[:3] == ("person-00012/shot-000", "person-00012/shot-001", "person-00013/shot-000")
    assert manifest.identities[:3] == ("person-00012", "person-00012", "person-00013")
    assert set(manifest.widths) == set(manifest.heights) == {96}
    assert DrawnDatasetConfig(**SMALL, first=12).scan(CACHE).digest == manifest.digest
    assert not CACHE.exists()


def test_a_digest_depends_on_what_the_image_depends_on_and_not_on_counts():
    base = DrawnDatasetConfig(**SMALL).manifest(CACHE)
    more = DrawnDatasetConfig(subjects=5, shots=4, size=96, look_alikes=3).manifest(CACHE)
    assert all(more.digests[more.index[key]] == digest for key, digest in zip(base.keys, base.digests, strict=True))
    for change in ({"seed": 1}, {"size": 97}, {"variation": 0.5}):
        assert not set(base.digests) & set(DrawnDatasetConfig(**(SMALL | change)).manifest(CACHE).digests)
    assert len(set(more.digests)) == len(more)


def test_a_image_does_not_depend_on_the_order_of_calls_or_on_the_config_around_it():
    forward, backward, other = faces(), faces(), faces(subjects=2, shots=1, first=2)
    samples = [forward.image(index) for index in range(6)]
    for index in reversed(range(6)):
        assert np.array_equal(backward.image(index), samples[index])
    assert np.array_equal(other.image(0), samples[4])


def test_a_image_does_not_depend_on_the_number_of_threads():
    before = cv2.getNumThreads()
    try:
        found = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            found.append([faces(size=160).image(index).tobytes() for index in range(4)])
    finally:
        cv2.setNumThreads(before)
    assert found[0] == found[1]


def test_another_process_draws_the_same_bytes():
    code = (
        "import hashlib; from pathlib import Path; from datamodules.datasets.drawn import DrawnDatasetConfig;"
        "c = DrawnDatasetConfig(subjects=3, shots=2, size=96, look_alikes=1); d = c.build(c.manifest(Path('x')));"
        "print(hashlib.sha256(b''.join(d.image(i).tobytes() + d.mask(i).tobytes() for i in (7, 1, 4))).hexdigest())"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    with redirect_stdout(io.StringIO()) as here:
        exec(code, {})
    assert here.getvalue() == fresh


def test_changing_a_image_in_place_does_not_change_the_next():
    drawn = faces()
    first = drawn.image(0)
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(drawn.image(0), kept)


def test_subjects_differ_and_shots_differ():
    drawn = faces(variation=0.0)
    assert np.array_equal(drawn.image(0), drawn.image(1)), "without variation all shots are one image"
    assert (drawn.image(0) != drawn.image(2)).any(axis=2).mean() > 0.1
    varied = faces()
    assert (varied.image(0) != varied.image(1)).any(axis=2).mean() > 0.5


def test_the_mask_names_every_part_of_a_frontal_face():
    drawn = faces(variation=0.0, subjects=6, shots=1, size=160)
    for index in range(6):
        mask = drawn.mask(index)
        assert mask.shape == (160, 160)
        assert mask.dtype == np.uint8
        for part in ("background", "skin", "left eye", "right eye", "brows", "nose", "mouth", "neck", "clothes"):
            assert drawn.region(index, part).sum() > 40, (index, part)
        assert np.array_equal(drawn.region(index, "eyes"), drawn.region(index, "left eye") | drawn.region(index, "right eye"))


def test_parts_stand_where_they_stand_in_a_face():
    drawn = faces(variation=0.0, subjects=6, shots=1)
    for index in range(6):
        where = {part: np.argwhere(drawn.region(index, part)).mean(axis=0) for part in (*SWAPS, "left eye", "right eye")}
        down = [where[part][0] for part in ("hair", "brows", "eyes", "nose", "mouth")]
        assert down == sorted(down) or where["hair"][0] > down[1]  # long hair reaches far down
        assert where["left eye"][1] < where["nose"][1] < where["right eye"][1]
        assert down[1:] == sorted(down[1:])


def test_the_mask_lies_where_the_paint_is():
    drawn = faces(variation=0.0, subjects=8, shots=1, size=160)
    for index in range(8):
        image = drawn.image(index).astype(int)
        background = image[drawn.region(index, "background")]
        assert background.std(axis=0).max() < 12, "at variation 0 the background is plain, so nobody may reach into it"


@pytest.mark.parametrize("variation", [0.0, 1.0])
def test_a_look_alike_differs_inside_the_named_part_only(variation):
    drawn = faces(look_alikes=15, variation=variation)
    rows = drawn.manifest.index
    seen = set()
    for number, part in drawn.config.people()[3:]:
        base, name = identity(number), identity(number, part)
        seen.add(part)
        for shot in ("shot-000", "shot-001"):
            one, other = rows[f"{base}/{shot}"], rows[f"{name}/{shot}"]
            changed = (drawn.image(one) != drawn.image(other)).any(axis=2)
            allowed = drawn.region(one, part) | drawn.region(other, part)
            assert changed.sum() > 20, (name, shot)
            assert not (changed & ~allowed).any(), (name, shot)
            assert np.array_equal(drawn.mask(one)[~allowed], drawn.mask(other)[~allowed])
    assert seen == set(SWAPS)


def test_transplanting_hides_little_of_a_look_alike(monkeypatch):
    """What a look-alike would change outside its part (shadows, antialiased edges) is a small share of the change."""
    whole, cut = [], []
    kept = drawing.transplanted

    def counted(base, other, labels):
        found = kept(base, other, labels)
        whole.append((base.image != other.image).any(axis=2).sum())
        cut.append((found.image != other.image).any(axis=2).sum())
        return found

    monkeypatch.setattr(drawing, "transplanted", counted)
    drawn = faces(subjects=4, shots=1, look_alikes=20)
    for index in range(4, 24):
        drawn.image(index)
    assert len(whole) == 20
    assert sum(cut) < 0.05 * sum(whole)


def test_a_subset_of_the_manifest_shows_its_own_rows():
    config = DrawnDatasetConfig(**SMALL, look_alikes=2)
    manifest = config.manifest(CACHE)
    whole, part = config.build(manifest), config.build(manifest.subset([5, 8]))
    assert len(part) == 2
    assert np.array_equal(part.image(1), whole.image(8))


def test_attributes_are_ages_and_sexes():
    found = [subject(0, number) for number in range(60)]
    assert {each.sex for each in found} == {0, 1}
    assert all(18 <= each.age <= 80 for each in found)


def test_columns_are_ages_and_genders_of_the_images_of_any_part_of_the_manifest():
    config = DrawnDatasetConfig(subjects=6, shots=2, look_alikes=3, occluder="mask", size=64)
    manifest = config.manifest(Path()).subset([17, 0, 5, 20, 13])
    found = config.columns(manifest)
    subjects = [subject(0, int(name.split("-")[1])) for name in manifest.identities]  # a look-alike is like its base
    assert found["age_years"].values.tolist() == [each.age for each in subjects]
    assert found["gender"].values.tolist() == [each.sex for each in subjects]
    assert [found["age"].classes[band] for band in found["age"].values] == [AGES[age_band(each.age)] for each in subjects]


def test_namespaces_are_populations():
    assert DrawnDatasetConfig(first=7, size=64).namespace == DrawnDatasetConfig().namespace == "drawn/0"
    assert DrawnDatasetConfig(seed=3).namespace == "drawn/3"


def test_impossible_settings_are_refused():
    with pytest.raises(ValidationError, match="look_alikes"):
        DrawnDatasetConfig(subjects=2, look_alikes=11)
    for wrong in ({"subjects": 0}, {"size": 63}, {"variation": -1}, {"seed": -1}, {"first": 2**32}):
        with pytest.raises(ValidationError):
            DrawnDatasetConfig(**wrong)
    with pytest.raises(ValueError, match="no part 'chin'"):
        faces().region(0, "chin")
    with pytest.raises(ValueError, match="person-00009"):
        DrawnDatasetConfig(**SMALL).build(DrawnDatasetConfig(**SMALL, first=9).manifest(CACHE))

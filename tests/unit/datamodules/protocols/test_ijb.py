import numpy as np
import pytest
from PIL import Image

from configs.contract import ContractError
from configs.lookup import resolve
from datamodules.datasets.ijb import IJBDatasetConfig as Ijb

FACES = "1.jpg 11 5\n2.jpg 11 5\n3.jpg 11 6\n4.jpg 30 7\n5.jpg 20 8\n6.jpg 40 9\n"
GALLERY = "TEMPLATE_ID,SUBJECT_ID,FILENAME\n"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "loose_crop").mkdir()
    for number in range(1, 7):
        Image.new("RGB", (10 + number, 20), (number, 0, 0)).save(tmp_path / f"loose_crop/{number}.jpg")
    lists = {
        "ijbc_face_tid_mid.txt": FACES,
        "ijbc_template_pair_label.txt": "11 30 1\n11 20 0\n40 20 1\n",
        "ijbc_name_5pts_score.txt": "".join(
            f"{n}.jpg {' '.join(str(n + k) for k in range(10))} 0.{n}\n" for n in (6, 5, 4, 3, 2, 1)
        ),
        "ijbc_1N_gallery_G1.csv": GALLERY + "11,100,x\n11,100,y\n",
        "ijbc_1N_gallery_G2.csv": GALLERY + "20,200,x\n",
        "ijbc_1N_probe_mixed.csv": GALLERY + "30,100,x\n40,200,x\n",
    }
    for name, text in lists.items():
        (tmp_path / "meta" / name).write_text(text)
    return tmp_path


def test_images_are_those_of_the_list(root, tmp_path):
    data = Ijb(root=root)
    assert data.missing() is None
    manifest = data.scan(tmp_path / "cache")
    assert manifest.keys == tuple(f"{n}.jpg" for n in range(1, 7))
    assert manifest.identities[:4] == ("template 11",) * 3 + ("template 30",)
    assert data.namespace == "ijbc"


def test_landmarks_and_scores_replace_a_detector(root, tmp_path):
    data = Ijb(root=root)
    manifest = data.scan(tmp_path / "cache").subset([3, 0])
    listed = data.points(manifest)
    assert listed.names == ("4.jpg", "1.jpg")
    assert listed.scores.tolist() == pytest.approx([0.4, 0.1])
    found = data.detections(manifest)
    assert found.at(0).landmarks[0] == (4.0, 5.0)
    assert found.boxes.tolist() == [[0, 0, 14, 20], [0, 0, 11, 20]]
    assert found.found.all()
    text = (root / "meta/ijbc_name_5pts_score.txt").read_text()
    (root / "meta/ijbc_name_5pts_score.txt").write_text("".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match=r"no landmarks of the image 1\.jpg \(1 of 2 have none\)"):
        data.points(manifest)


def test_pairs_of_templates(root, tmp_path):
    protocol = resolve("protocol", {"name": "ijb", "root": str(root)})
    assert protocol.missing() is None
    assert protocol.task == "templates"
    found = protocol.comparisons(protocol.dataset().scan(tmp_path / "cache"))
    assert found.templates.numbers.tolist() == [11, 20, 30, 40]
    assert found.templates.template.tolist() == [0, 0, 0, 2, 1, 3]
    assert found.templates.media.tolist() == [5, 5, 6, 7, 8, 9]
    assert found.templates.weights.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert (found.left.tolist(), found.right.tolist(), found.same.tolist()) == ([0, 0, 3], [2, 1, 1], [True, False, True])
    assert (found.templates.labels == -1).all()


def test_the_variants_are_part_of_the_identity(root, tmp_path):
    values = [{}, {"norm": False}, {"detector_score": False}, {"flip_test": False}, {"set": "ijbb"}]
    found = [resolve("protocol", {"name": "ijb", "root": str(root), **value}) for value in values]
    assert len({str(one.identity()) for one in found}) == len(values)
    assert found[0].identity()["set"] == "ijbc"
    manifest = found[0].dataset().scan(tmp_path / "cache")
    assert found[2].comparisons(manifest).templates.weights.tolist() == [1.0] * 6


def test_a_template_that_no_image_has_is_named(root, tmp_path):
    protocol = resolve("protocol", {"name": "ijb", "root": str(root)})
    manifest = protocol.dataset().scan(tmp_path / "cache")
    for number in (31, 99, -1, 1000000000):
        (root / "meta/ijbc_template_pair_label.txt").write_text(f"11 30 1\n\n11 {number} 0\n")
        with pytest.raises(
            ValueError, match=rf"template_pair_label\.txt, line 3: names template {number}, which ijbc_face_tid_mid"
        ):
            protocol.comparisons(manifest)


def test_skipped_images_leave_their_template_smaller(root, tmp_path):
    (root / "loose_crop/2.jpg").write_bytes(b"no image")
    data = Ijb(root=root, on_bad_image="skip")
    manifest = data.scan(tmp_path / "cache")
    protocol = resolve("protocol", {"name": "ijb", "root": str(root)})
    templates = protocol.comparisons(manifest).templates
    assert [manifest.keys[row] for row in templates.rows] == ["1.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"]
    with pytest.raises(ValueError, match=r"names the image 2\.jpg, which is not in the dataset"):
        protocol.comparisons(
            type(manifest)(*(getattr(manifest, n) for n in ("keys", "identities", "widths", "heights", "digests")))
        )
    (root / "loose_crop/4.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match="template 30 has no image left, as have 1"):
        protocol.comparisons(data.scan(tmp_path / "cache"))


@pytest.mark.parametrize(("name", "asks"), [("ijb", "comparisons"), ("ijb_search", "identification")])
def test_a_grid_file_may_have_bad_images_skipped(root, tmp_path, name, asks):
    strict, lenient = (
        resolve("protocol", {"name": name, "root": str(root), **policy}) for policy in ({}, {"on_bad_image": "skip"})
    )
    assert strict.identity() == resolve("protocol", {"name": name, "root": str(root), "on_bad_image": "fail"}).identity()
    (root / "loose_crop/2.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"2\.jpg: no image of a known format; 1 of 6 images"):
        strict.dataset().scan(tmp_path / "cache")
    manifest = lenient.dataset().scan(tmp_path / "cache")
    assert list(manifest.skipped) == ["2.jpg"]
    assert "2.jpg" not in [manifest.keys[row] for row in getattr(lenient, asks)(manifest).templates.rows]


def test_search_in_two_galleries_or_one(root, tmp_path):
    protocol = resolve("protocol", {"name": "ijb_search", "root": str(root)})
    assert protocol.missing() is None
    assert protocol.task == "identification"
    manifest = protocol.dataset().scan(tmp_path / "cache")
    found = protocol.identification(manifest)
    assert [found.templates.numbers[one].tolist() for one in found.galleries] == [[11], [20]]
    assert found.templates.numbers[found.probes].tolist() == [30, 40]
    assert found.templates.labels.tolist() == [100, 200, 100, 200]
    joined = resolve("protocol", {"name": "ijb_search", "root": str(root), "galleries": "joined"}).identification(manifest)
    assert [joined.templates.numbers[one].tolist() for one in joined.galleries] == [[11, 20]]


def test_templates_that_nobody_searches_with_are_left_out(root, tmp_path):
    (root / "meta/ijbc_face_tid_mid.txt").write_text(FACES + "1.jpg 50 5\n")
    protocol = resolve("protocol", {"name": "ijb_search", "root": str(root)})
    found = protocol.identification(protocol.dataset().scan(tmp_path / "cache"))
    assert found.templates.numbers.tolist() == [11, 20, 30, 40]


def test_a_template_of_two_subjects_is_refused(root, tmp_path):
    protocol = resolve("protocol", {"name": "ijb_search", "root": str(root)})
    manifest = protocol.dataset().scan(tmp_path / "cache")
    (root / "meta/ijbc_1N_probe_mixed.csv").write_text(GALLERY + "11,300,x\n")
    with pytest.raises(ValueError, match=r"probe_mixed\.csv: template 11 shows subject 300, and in another list subject 100"):
        protocol.identification(manifest)
    (root / "meta/ijbc_1N_probe_mixed.csv").write_text(GALLERY + "77,300,x\n")
    with pytest.raises(
        ValueError, match=r"probe_mixed\.csv: template 77 has no image in ijbc_face_tid_mid\.txt \(1 have none\)"
    ):
        protocol.identification(manifest)


def test_what_is_missing_is_said(root, tmp_path):
    for name in ("ijb", "ijb_search"):
        assert "loose_crop" in resolve("protocol", {"name": name, "root": str(tmp_path / "none")}).missing().what
    assert "NIST" in Ijb(root=tmp_path / "none", set="ijbb").missing().remedy
    assert "ijbb_face_tid_mid.txt (2 of 2 are absent)" in Ijb(root=root, set="ijbb").missing().what
    (root / "meta/ijbc_1N_gallery_G2.csv").unlink()
    assert "G2.csv (1 of 3 are absent)" in resolve("protocol", {"name": "ijb_search", "root": str(root)}).missing().what
    with pytest.raises(ContractError, match="task other than templates"):
        resolve("protocol", {"name": "ijb", "root": str(root)}).pairs(None)


def test_template_numbers_beyond_a_table_are_found_too():
    from datamodules.evaluation_sets.ijb_templates import places_of
    from datamodules.evaluation_sets.templates import Templates

    for shift in (0, 10**12):
        templates = Templates.of(np.arange(3), np.arange(3), np.array([4, 0, 9]) + shift)
        assert places_of(templates, np.array([9, 0, 3, 10, 11, -1, 4]) + shift).tolist() == [2, 0, -1, -1, -1, -1, 1]

import numpy as np
import pytest

from datamodules.detectors.mtcnn import MTCNNConfig
from datamodules.detectors.none import NoDetectorConfig
from datamodules.geometry.cutting import cut
from datamodules.manifest import Manifest

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def test_the_whole_image_is_kept_without_regard_to_its_aspect():
    detector = NoDetectorConfig().build()
    (found,) = detector.detect([IMAGE])
    assert found.box == (0, 0, 60, 40)
    assert found.found
    assert found.landmarks == ()
    assert np.array_equal(detector.crop(IMAGE, found, 20), cut(IMAGE, (0, 0, 60, 40), 20))


def test_a_fraction_keeps_that_share_of_width_and_height_around_the_center():
    detector = NoDetectorConfig(fraction=0.5).build()
    (found,) = detector.detect([IMAGE])
    assert found.box == (15, 10, 45, 30)
    assert np.array_equal(detector.crop(IMAGE, found, 20), cut(IMAGE, (15, 10, 45, 30), 20))


def test_sizes_alone_give_the_detections_of_the_images():
    images = [IMAGE, IMAGE[:7, :9]]
    manifest = Manifest(("a", "b"), ("x", "y"), (60, 9), (40, 7), ("", ""))
    detector = NoDetectorConfig(fraction=0.3).build()
    table = detector.of_manifest(manifest)
    assert np.array_equal(table.boxes, np.array([found.box for found in detector.detect(images)], np.float32))


def test_even_a_tiny_share_of_a_tiny_image_is_a_crop():
    detector = NoDetectorConfig(fraction=0.01).build()
    for side in (1, 2, 3):
        tiny = IMAGE[:side, :side]
        assert detector.crop(tiny, detector.detect([tiny])[0], 4).shape == (4, 4, 3)


def test_it_needs_no_stage_and_takes_sensible_fractions():
    assert NoDetectorConfig.trivial
    assert NoDetectorConfig().detection() == {"name": "none", "fraction": 1.0}
    with pytest.raises(ValueError, match="fraction"):
        NoDetectorConfig(fraction=0)


@pytest.mark.parametrize("config", [NoDetectorConfig, MTCNNConfig])
@pytest.mark.parametrize(
    ("images", "said"),
    [
        (IMAGE, r"images are a list of RGB arrays .*; found ndarray uint8 \(40, 60, 3\)"),
        ([IMAGE, IMAGE[:, :, 0]], r"image 1: an image is an RGB array .*; found ndarray uint8 \(40, 60\)"),
        ([IMAGE / 255], r"image 0: .*; found ndarray float64 \(40, 60, 3\)"),
        ([IMAGE[:0]], r"image 0: .*; found ndarray uint8 \(0, 60, 3\)"),
        ("a.jpg", "images are a list of RGB arrays .*; found 'a.jpg'"),
    ],
)
def test_what_is_not_a_list_of_images_is_refused_before_the_detection(config, images, said):
    with pytest.raises(ValueError, match=said):
        config().build().detect(images)

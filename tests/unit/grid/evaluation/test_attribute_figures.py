"""Figures show the numbers of ``metrics.json``."""

import io

import numpy as np
import pytest
from PIL import Image

from grid.evaluation.attribute_figures import MOST_CLASSES, attribute_figures, confusion, reliability
from grid.evaluation.task import evaluation_task
from modules.metrics.calibration import calibration
from modules.metrics.classification import classification
from modules.metrics.unit_bootstrap import Draws


def metrics(classes):
    """``metrics.json`` of a target with classes, and of one with numbers."""
    generator = np.random.default_rng(1)
    truth, predicted = generator.integers(0, classes, 200), generator.integers(0, classes, 200)
    confidence = generator.uniform(0.3, 1, 200)
    age = classification(truth, predicted, classes, Draws(resamples=50))
    age |= calibration(confidence, predicted == truth, 5, Draws(resamples=50))
    age["per_class"] = {f"class {number}": one for number, one in enumerate(age.pop("classes"))}
    return {"task": "attributes", "targets": {"age": age, "years": {"mae": {"value": 3.0}}}}


def test_targets_with_classes_have_two_pictures_of_a_readable_size():
    found = metrics(3)
    drawn = evaluation_task("attributes").figures(found)
    assert list(drawn) == ["age confusion", "age reliability"]
    for data in drawn.values():
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.width > 300) == ("PNG", True)
    assert attribute_figures(found) == drawn
    assert list(attribute_figures(metrics(MOST_CLASSES + 1))) == ["age reliability"]


def test_a_confusion_matrix_has_each_count_with_its_share_of_the_true_class():
    counts = np.array([[8, 2, 0], [0, 0, 0], [1, 1, 2]])
    (axes,) = confusion("a$b$", ["x", "y", "z"], counts).axes
    shown = [text.get_text().split("\n") for text in axes.texts]
    assert [int(count) for count, _ in shown] == counts.ravel().tolist()
    assert [share for _, share in shown] == ["80 %", "20 %", "0 %", "0 %", "0 %", "0 %", "25 %", "25 %", "50 %"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y", "z"]
    np.testing.assert_allclose(axes.images[0].get_array(), counts / np.array([[10], [1], [4]]))


def test_a_reliability_curve_has_the_interval_of_every_bin():
    age = metrics(3)["targets"]["age"]
    upper, lower = reliability("age", age["ece"], age["reliability"]).axes
    ((line, _, (bars,)),) = upper.containers
    np.testing.assert_allclose(line.get_xydata(), [[one["confidence"], one["accuracy"]["value"]] for one in age["reliability"]])
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [[one["accuracy"]["low"], one["accuracy"]["high"]] for one in age["reliability"]])
    assert [bar.get_height() for bar in lower.patches] == [one["n"] for one in age["reliability"]]
    assert f"ECE {100 * age['ece']['value']:.1f} %" in upper.get_title()
    assert sum(bar.get_height() for bar in lower.patches) == pytest.approx(200)

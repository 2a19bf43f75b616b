import numpy as np
import pytest
import torch
from explained import logits, maps, single

from modules.explanation_metrics.deletion import DeletionConfig
from modules.metrics.image_game import CLASS_NAMES, ImageGame, class_values
from modules.metrics.pixel_replacement import Settings


def test_it_is_the_game_itself_and_less_is_better():
    explained = single(maps={"one": maps(4), "other": maps(4, seed=1)})
    found = DeletionConfig(shares=(0, 0.5, 1), resamples=20, seed=2).build().score(explained)
    values = class_values(lambda block: logits(explained, torch.from_numpy(block)).float().numpy(), explained.labels)
    game = ImageGame(
        values, CLASS_NAMES, explained.images.numpy(), "deletion", Settings(shares=(0, 0.5, 1), seed=2, resamples=20)
    )
    wanted = game.compare(explained.maps)["methods"]
    for name in ("one", "other"):
        assert found["maps"][name]["probability"]["value"] == wanted[name]["probability"]["auc"]["value"]
        assert found["maps"][name]["probability"]["above"] == wanted[name]["probability"]["auc"]["above"]
    assert found["baselines"]["center"]["score"]["value"] == wanted["center"]["score"]["auc"]["value"]
    assert set(found["lower_is_better"]) == set(CLASS_NAMES)


def test_all_pixels_gone_is_a_gray_image():
    explained = single()
    found = DeletionConfig(shares=(0, 1), resamples=20).build().score(explained)
    gray = torch.softmax(logits(explained, torch.zeros_like(explained.images[:1]))[0], 0).numpy()
    wanted = float(np.mean([gray[label] for label in explained.labels]))
    assert found["details"]["methods"][""]["probability"]["course"][-1] == pytest.approx(wanted, abs=1e-5)

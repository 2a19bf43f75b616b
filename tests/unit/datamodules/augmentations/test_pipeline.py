import numpy as np
import pytest
import torch

from configs.data_interfaces import BatchAugmentation
from configs.lookup import resolve
from datamodules.augmentations import blur, cutout, flip, none
from datamodules.augmentations._base import step_seed
from datamodules.augmentations.pipeline import PipelineConfig

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_steps_are_names_or_mappings_in_order():
    found = resolve("augmentation", {"name": "pipeline", "steps": ["flip", {"name": "jpeg", "quality": [30, 90]}, "blur"]})
    assert found.identity() == {
        "name": "pipeline",
        "steps": [
            {"name": "flip", "p": 0.5},
            {"name": "jpeg", "quality": [30, 90], "probability": 0.5},
            {"name": "blur", "sigma": [0.6, 1.6], "probability": 0.5},
        ],
    }
    assert resolve("augmentation", found.model_dump()) == found


def test_it_is_its_steps_one_after_the_other():
    parts = [cutout.CutoutConfig(probability=0.7), flip.FlipConfig(), blur.BlurConfig(probability=0.6)]
    built, whole = [part.build() for part in parts], PipelineConfig(steps=parts).build()
    for seed in range(30):
        expected = IMAGE
        for place, step in enumerate(built):
            expected = step(expected, step_seed(seed, place))
        assert np.array_equal(whole(IMAGE, seed), expected)


def test_the_order_matters():
    hole, soft = cutout.CutoutConfig(probability=1), blur.BlurConfig(probability=1)
    assert not np.array_equal(
        PipelineConfig(steps=[hole, soft]).build()(IMAGE, 1), PipelineConfig(steps=[soft, hole]).build()(IMAGE, 1)
    )


def test_a_step_draws_the_same_whatever_stands_before_it():
    alone = PipelineConfig(steps=[none.NoAugmentationConfig(), cutout.CutoutConfig()]).build()
    after = PipelineConfig(steps=[flip.FlipConfig(p=1.0), cutout.CutoutConfig()]).build()
    for seed in range(30):
        assert np.array_equal(alone(IMAGE, seed) == 128, after(IMAGE[:, ::-1], seed) == 128)


def test_equal_steps_do_not_act_together():
    twice = PipelineConfig(steps=[flip.FlipConfig(), flip.FlipConfig()]).build()
    mirrored = sum(np.array_equal(twice(IMAGE, seed), IMAGE[:, ::-1]) for seed in range(200))
    assert 72 < mirrored < 128  # of one seed for both, none would be


@pytest.mark.parametrize("moving", ["rotate", "zoom", "basic", {"name": "pipeline", "steps": ["flip", "rotate"]}])
def test_steps_that_move_the_face_come_after_those_that_know_where_its_parts_are(moving):
    inner = {"name": "pipeline", "steps": ["flip", "erase_parts"]}
    for located in ("erase_parts", inner):
        assert resolve("augmentation", {"name": "pipeline", "steps": ["flip", "jpeg", located, moving]}).moves
        with pytest.raises(ValueError, match=r"changes the parts of the face where .* before it moves the face; put .* first"):
            resolve("augmentation", {"name": "pipeline", "steps": [moving, "jpeg", located]})
    still = {"name": "basic", "move": 0}
    assert not resolve("augmentation", {"name": "pipeline", "steps": [still, "erase_parts"]}).moves


def test_a_pipeline_may_be_a_step():
    inner = {"name": "pipeline", "steps": ["flip"]}
    found = resolve("augmentation", {"name": "pipeline", "steps": [inner, "flip"]})
    assert found.build()(IMAGE, 0).shape == IMAGE.shape


def test_it_tells_what_each_step_made():
    whole = PipelineConfig(steps=[flip.FlipConfig(p=1.0), none.NoAugmentationConfig()]).build()
    assert [name for name, _ in whole.after_each(IMAGE, 0)] == ["flip", "none"]
    assert all(np.array_equal(image, IMAGE[:, ::-1]) for _, image in whole.after_each(IMAGE, 0))


@pytest.mark.parametrize(
    ("steps", "message"),
    [([], "at least 1"), (["blurr"], "did you mean 'blur'"), ([{"name": "jpeg", "q": 3}], "q\n"), ([3], "with a name")],
)
def test_steps_that_are_none_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        resolve("augmentation", {"name": "pipeline", "steps": steps})


LAST_BATCH = {"name": "pipeline", "steps": [{"name": "jpeg", "probability": 0.7}, "flip", {"name": "batch", "erase": 0.5}]}


def test_a_last_step_of_a_batch_is_left_to_the_device():
    config = resolve("augmentation", LAST_BATCH)
    built, batch = config.build(), config.steps[-1].build()
    assert config.batched
    assert isinstance(built, BatchAugmentation)
    images, parameters = zip(*(built.prepare(IMAGE, seed) for seed in range(30)), strict=True)
    first = PipelineConfig(steps=config.steps[:-1]).build()
    for seed in range(30):
        assert np.array_equal(images[seed], first(IMAGE, seed))
        assert np.array_equal(parameters[seed], batch.draw(step_seed(seed, 2)))
    found = built.apply(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(parameters)))
    assert all(np.array_equal(found[seed], built(IMAGE, seed)) for seed in range(30))
    assert [name for name, _ in built.after_each(IMAGE, 0)] == ["jpeg", "flip", "batch"]


def test_a_pipeline_that_ends_with_a_batch_may_be_the_last_step_only():
    assert isinstance(resolve("augmentation", {"name": "pipeline", "steps": ["flip", LAST_BATCH]}).build(), BatchAugmentation)
    plain = PipelineConfig(steps=["flip"])
    assert not plain.batched
    assert not isinstance(plain.build(), BatchAugmentation)
    for steps, said in ((["batch", "flip"], "batch is step 1 of 2"), ([LAST_BATCH, "flip"], "pipeline is step 1 of 2")):
        with pytest.raises(ValueError, match=f"{said}, .*; put it last"):
            resolve("augmentation", {"name": "pipeline", "steps": steps})

from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from configs.lookup import resolve
from datamodules.augmentations import basic, flip, none
from datamodules.augmentations._base import augmentation_seed
from datamodules.batches.pk import PKConfig
from datamodules.datamodule import FaceDataModule, to_batch, to_pixels
from datamodules.normalization import normalized
from datamodules.tensors import to_tensor

COUNT, SIZE = 23, 8


class Crops:
    """Crops in memory."""

    def __init__(self):
        self.images = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        return self.images[index]


def data(augmentation=None, workers=0, validation=(2, 0), **changes):
    settings = {"batch_size": 4, "seed": 5} | changes
    rows = [row for row in range(COUNT) if row not in validation]
    labels = np.arange(COUNT) % 7
    return FaceDataModule(
        Crops(), labels, rows, validation, augmentation or none.NoAugmentationConfig().build(), workers=workers, **settings
    )


class Net(pl.LightningModule):
    """Records the rows of each training step, and can be stopped."""

    def __init__(self, stop_at=None):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3 * SIZE * SIZE, 1)
        self.steps = []
        self.validated = []
        self.stop_at = stop_at

    def training_step(self, batch, index):
        images, _, rows = batch
        if (self.current_epoch, index) == self.stop_at:
            raise KeyError("power cut")
        self.steps.append((self.current_epoch, index, tuple(rows.tolist()), images.sum().item()))
        return self.layer(images.flatten(1)).square().mean()

    def validation_step(self, batch, index):
        self.validated.append(tuple(batch[2].tolist()))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def fit(folder, net, faces, checkpoint=None):
    keep = pl.callbacks.ModelCheckpoint(folder, save_last=True, every_n_train_steps=1)
    trainer = pl.Trainer(
        max_epochs=4, accelerator="cpu", logger=False, callbacks=[keep], use_distributed_sampler=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(net, faces, ckpt_path=checkpoint)


def test_a_batch_has_the_bits_that_each_image_has_alone():
    every = np.arange(256, dtype=np.uint8).repeat(9).reshape(-1, 6, 3)  # not square, and each value in each channel
    images, labels, rows = to_batch([(every, 3, 40), (every[::-1], 2, 41)])
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    for found, image in zip(images, (every, every[::-1]), strict=True):
        assert torch.equal(found.view(torch.int32), to_tensor(image).view(torch.int32))
    assert labels.tolist() == [3, 2]
    assert rows.tolist() == [40, 41]
    assert labels.dtype == rows.dtype == torch.int64


def test_pixels_that_are_normalized_later_have_the_bits_of_a_batch():
    every = np.arange(256, dtype=np.uint8).repeat(9).reshape(-1, 6, 3)
    items = [(every, 3, 40), (every[::-1], 2, 41)]
    pixels, labels, rows = to_pixels(items)
    assert (pixels.dtype, pixels.shape, pixels.nbytes) == (torch.uint8, (2, *every.shape), 2 * every.nbytes)
    images = to_batch(items)
    assert torch.equal(normalized(pixels).contiguous().view(torch.int32), images[0].view(torch.int32))
    assert torch.equal(labels, images[1])
    assert torch.equal(rows, images[2])


@pytest.mark.filterwarnings("ignore")
def test_a_gpu_gets_pixels_and_the_training_the_same_images(tmp_path, monkeypatch):
    plain, seen = Net(), []
    fit(tmp_path / "a", plain, data())
    monkeypatch.setattr(FaceDataModule, "_on_gpu", True)
    faces = data()
    transfer = faces.on_after_batch_transfer
    monkeypatch.setattr(
        faces, "on_after_batch_transfer", lambda batch, index: seen.append(batch[0].dtype) or transfer(batch, index)
    )
    on_device = Net()
    fit(tmp_path / "b", on_device, faces)
    assert set(seen) == {torch.uint8}
    assert [step[:3] for step in on_device.steps] == [step[:3] for step in plain.steps]
    assert [step[3] for step in on_device.steps] == pytest.approx([step[3] for step in plain.steps], abs=1e-3)


def test_a_batch_is_images_labels_rows():
    faces = data()
    images, labels, rows = next(iter(faces.train_dataloader()))
    assert images.shape == (4, 3, SIZE, SIZE)
    assert labels.dtype == rows.dtype == torch.int64
    assert labels.tolist() == [row % 7 for row in rows.tolist()]
    assert torch.equal(images[1], to_tensor(Crops()[rows[1]]))


def test_validation_is_sequential_and_without_augmentation():
    faces = data(flip.FlipConfig(p=1.0).build(), validation=(2, 0, 9, 4, 1))
    batches = list(faces.val_dataloader())
    assert [row for batch in batches for row in batch[2].tolist()] == [2, 0, 9, 4, 1]
    assert torch.equal(batches[0][0][0], to_tensor(Crops()[2]))


def test_training_images_are_augmented_by_seed_epoch_and_row():
    augmentation = basic.BasicConfig().build()
    loader = data(augmentation).train_dataloader()
    loader.sampler.set_epoch(3)
    images, _, rows = next(iter(loader))
    for image, row in zip(images, rows.tolist(), strict=True):
        assert torch.equal(image, to_tensor(augmentation(Crops()[row], augmentation_seed(5, 3, row))))
    assert len({augmentation_seed(seed, epoch, row) for seed in (1, 2) for epoch in (1, 2) for row in (1, 2)}) == 8


def test_repetitions_of_an_image_in_a_batch_are_augmented_differently():
    """Otherwise the distance of such a pair is 0, whatever the network."""
    augmentation = basic.BasicConfig(move=1.0).build()
    faces = data(augmentation, validation=(22,), batches=PKConfig(images=4), identities=np.arange(COUNT) // 2, batch_size=8)
    images, _, rows = next(iter(faces.train_dataloader()))
    assert len(set(rows.tolist())) == 4
    assert len({image.numpy().tobytes() for image in images}) == 8
    seen = [image for image, row in zip(images, rows.tolist(), strict=True) if row == rows[0]]
    first = augmentation_seed(5, 0, int(rows[0]))
    assert torch.equal(seen[0], to_tensor(augmentation(Crops()[int(rows[0])], first)))


def test_a_last_batch_of_one_is_dropped_unless_there_is_no_other():
    faces = data(batch_size=5)  # 21 rows
    assert [len(batch[2]) for batch in faces.train_dataloader()] == [5] * 4
    assert faces.steps_per_epoch == 4
    small = data(batch_size=64)
    assert [len(batch[2]) for batch in small.train_dataloader()] == [21]
    assert small.steps_per_epoch == 1


def test_loading_does_not_touch_the_global_random_state():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    numbers = np.random.get_state()[1].copy()  # noqa: NPY002
    list(data(basic.BasicConfig().build()).train_dataloader())
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numbers, np.random.get_state()[1])  # noqa: NPY002


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="no images to train on"):
        data(validation=tuple(range(COUNT)))


@pytest.mark.filterwarnings("ignore")
def test_workers_and_a_resume_within_an_epoch_change_no_batch(tmp_path):
    undisturbed = Net()
    fit(tmp_path / "a", undisturbed, data(basic.BasicConfig().build()))
    assert len(undisturbed.steps) == 4 * 5
    assert undisturbed.validated == [(2, 0)] * 4

    first = Net(stop_at=(2, 3))
    with pytest.raises(KeyError):
        fit(tmp_path / "b", first, data(basic.BasicConfig().build(), workers=2))
    second, faces = Net(), data(basic.BasicConfig().build(), workers=2)
    faces.start_batch(2, 3)
    fit(tmp_path / "c", second, faces, tmp_path / "b" / "last.ckpt")
    assert first.steps + second.steps == undisturbed.steps
    assert all(torch.equal(one, other) for one, other in zip(second.parameters(), undisturbed.parameters(), strict=True))


BATCHED = {
    "batch": {"name": "batch", "gray": 0.3, "erase": 0.5},
    "pipeline": {"name": "pipeline", "steps": [{"name": "jpeg", "quality": [20, 40]}, {"name": "batch", "erase": 0.5}]},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BATCHED)
def test_a_batch_is_augmented_as_each_image_alone_whatever_loads_it(name, tmp_path):
    """By seed, epoch and row, with loader processes, and after a resume within an epoch."""
    augmentation = resolve("augmentation", BATCHED[name]).build()
    alone = Net()
    fit(tmp_path / "a", alone, data(lambda image, seed: augmentation(image, seed)))
    undisturbed = Net()
    fit(tmp_path / "b", undisturbed, data(augmentation))
    assert undisturbed.steps == alone.steps
    first = Net(stop_at=(2, 3))
    with pytest.raises(KeyError):
        fit(tmp_path / "c", first, data(augmentation, workers=2))
    second, faces = Net(), data(augmentation, workers=2)
    faces.start_batch(2, 3)
    fit(tmp_path / "d", second, faces, tmp_path / "c" / "last.ckpt")
    assert first.steps + second.steps == alone.steps
    assert all(torch.equal(one, other) for one, other in zip(second.parameters(), alone.parameters(), strict=True))
    plain = Net()
    fit(tmp_path / "e", plain, data())
    assert [step[:3] for step in plain.steps] == [step[:3] for step in alone.steps]
    assert plain.steps != alone.steps


def test_pixels_and_parameters_of_a_batch_travel_to_the_device():
    augmentation = resolve("augmentation", "batch").build()
    faces = data(augmentation)
    pixels, labels, rows, parameters = next(iter(faces.train_dataloader()))
    assert np.array_equal(pixels, Crops().images[rows])
    assert (parameters.dtype, parameters.shape) == (torch.float32, (4, 13))
    images, *rest = faces.on_after_batch_transfer((pixels, labels, rows, parameters), 0)
    assert torch.equal(images, normalized(augmentation.apply(pixels, parameters)))
    assert rest == [labels, rows]
    assert len(next(iter(faces.val_dataloader()))) == 3
    assert torch.equal(next(faces.batches_here())[3], parameters)


@pytest.mark.parametrize("wrong", [lambda image, seed: None, lambda image, seed: image / 255, lambda image, seed: image[1:]])
def test_a_wrong_augmentation_is_named_with_the_shape_that_is_expected(wrong):
    wrong.__module__ = "mylab.warp"
    with pytest.raises(
        ValueError, match=r"^augmentation 'mylab.warp': it returned .*; expected a numpy array uint8 \(8, 8, 3\)"
    ):
        data(wrong).train_faces[0, 0]


def one_rank(rank, world, **settings):
    faces = data(**settings)
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    faces.trainer = SimpleNamespace(global_rank=rank, world_size=world, current_epoch=0, strategy=strategy)
    return faces


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_divide_batches_and_validation_without_repeating_an_image(world):
    whole = data(validation=(2, 0, 9, 4, 1))
    trained, validated = [], []
    for rank in range(world):
        faces = one_rank(rank, world, validation=(2, 0, 9, 4, 1))
        trained.append([batch[2].tolist() for batch in faces.train_dataloader()])
        validated.append([row for batch in faces.val_dataloader() for row in batch[2].tolist()])
        assert faces.steps_per_epoch == whole.steps_per_epoch == len(trained[-1])
    assert validated == [[2, 0, 9, 4, 1][rank::world] for rank in range(world)]
    for place, batch in enumerate(whole.train_dataloader()):
        assert [ranks[place] for ranks in trained] == [batch[2].tolist()[rank::world] for rank in range(world)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_rank_knows_the_labels_of_the_others_also_when_an_epoch_ends_early(workers):
    whole = [batch[1] for batch in data().train_dataloader()]
    faces = one_rank(1, 2, workers=workers)
    loader = faces.train_dataloader()
    for batches in (len(whole), 2, len(whole)):  # loaders are ahead of the batch that is asked for
        for expected, (_, labels, rows), _ in zip(whole, loader, range(batches), strict=False):
            found = faces.labels_of_all(rows)
            assert (found.dtype, found.tolist()) == (labels.dtype, expected.tolist())
            assert torch.equal(found[1::2], labels)

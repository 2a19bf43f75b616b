"""The choice of fairface_small's recipe: a dense layer on frozen ImageNet features, with and without class weights.

Compared on images of the part ``fit`` that the grid does not train on: those that ``subsample`` leaves out, and every tenth of
the others. Images of 64 pixels, without augmentation. Prints the recall of each race and the share of units that are zero for
every image.
"""

from pathlib import Path

import cv2
import torch
from torch import Tensor, nn

from datamodules.datasets.utkface import RACES, UTKFaceDatasetConfig
from modules.backbones.efficientnet_lite0 import EfficientNetLite0Config
from modules.heads.dense import DenseConfig
from modules.losses.binary import BinaryConfig
from modules.losses.softmax import SoftmaxConfig
from modules.pretraining.imagenet import ImageNetConfig
from modules.recipes.one_cycle import OneCycleConfig

RARE = {"race": {"Indian": 0.1, "Others": 0.1}}
TARGETS = ("age", "gender", "race")
RECIPES = {
    "SGD 0.02, 8 epochs (before)": OneCycleConfig(lr=0.02, epochs=8),
    "SGD 0.005, 8 epochs": OneCycleConfig(lr=0.005, epochs=8),
    "AdamW 0.001, 5 epochs (the grid's)": OneCycleConfig(optimizer="adamw", lr=0.001, epochs=5),
    "AdamW 0.001, 30 epochs": OneCycleConfig(optimizer="adamw", lr=0.001, epochs=30),
}


def features(config: UTKFaceDatasetConfig, keys: list[str], cache: Path) -> tuple[Tensor, Tensor]:
    """Feature maps of the frozen network (N, 1280, 2, 2) and labels int64 (N, 3)."""
    manifest = config.scan(cache)
    columns, rows = config.columns(manifest), [manifest.keys.index(key) for key in keys]
    backbone = EfficientNetLite0Config().build()
    ImageNetConfig().load(backbone, EfficientNetLite0Config(), None)
    crops = [
        cv2.resize(cv2.imread(str(config.folder() / key))[..., ::-1], (64, 64), interpolation=cv2.INTER_AREA) for key in keys
    ]
    images = torch.stack([torch.from_numpy(crop.copy()) for crop in crops]).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        maps = torch.cat([backbone.eval()(part) for part in images.split(64)])
    return maps.clone(), torch.tensor([[int(columns[name].values[row]) for name in TARGETS] for row in rows])


def trained(maps: Tensor, labels: Tensor, recipe: OneCycleConfig, weights: str) -> tuple[nn.Module, nn.Module]:
    """(head, classifier of the race)."""
    torch.manual_seed(0)
    head = DenseConfig(dimension=100, activation="relu", dropout=0.2, hidden=()).build(*maps.shape[1:])
    weighted = SoftmaxConfig(class_weights=weights, weight_normalization="images")  # type: ignore[arg-type]
    losses = nn.ModuleList([weighted.build(100, 9), BinaryConfig().build(100, 2), weighted.build(100, len(RACES))])
    for number in (0, 2):
        losses[number].prepare(torch.bincount(labels[:, number], minlength=(9, 2, len(RACES))[number]))
    whole = nn.ModuleList([head, losses]).train()
    steps = len(maps) // 32
    schedule = recipe.build(whole.parameters(), steps)
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(maps))[: steps * 32].split(32):
            embedded = head(maps[batch])
            loss = sum(one(embedded, labels[batch, number]) for number, one in enumerate(losses))
            schedule.optimizer.zero_grad()
            loss.backward()
            schedule.optimizer.step()
            schedule.after_step()
    return head.eval(), losses[2].eval()


def test_no_class_is_lost_at_the_rate_of_the_grid(shared: Path, tmp_path: Path) -> None:
    everything = UTKFaceDatasetConfig(root=shared / "data/utkface", part="fit", held_share=0.3)
    used = set(everything.model_copy(update={"subsample": RARE}).scan(tmp_path).keys)
    keys = list(everything.scan(tmp_path).keys)
    maps, labels = features(everything, keys, tmp_path)
    mine = torch.tensor([key in used for key in keys])
    training = mine & (mine.cumsum(0) % 10 > 0)
    found = {}
    for name, recipe in RECIPES.items():
        for weights in ("none", "balanced"):
            head, race = trained(maps[training], labels[training], recipe, weights)
            with torch.inference_mode():
                embedded = head(maps[~training])
                said, truth = race.logits(embedded).argmax(1), labels[~training, 2]
            recall = [float((said[truth == number] == number).double().mean()) for number in range(len(RACES))]
            zero = float((embedded == 0).all(0).double().mean())
            found[name, weights] = min(recall)
            line = ", ".join(f"{race} {100 * share:.1f}" for race, share in zip(RACES, recall, strict=True))
            mean = 100 * sum(recall) / len(RACES)
            print(f"{name}, weights {weights}: recall [%] {line}; mean {mean:.1f}; zero units {zero:.0%}")
    assert found["AdamW 0.001, 5 epochs (the grid's)", "balanced"] > 0.05

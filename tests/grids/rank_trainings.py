"""A program that trains small networks in one process or as one of several ranks, for ``ranks.together``.

Sees ``rank`` (None: alone), ``cases`` (settings of each training) and ``place``, a folder for checkpoints; those of case N are
in ``N-RANK``. Its ``result`` has for each case the history, the weights (None on ranks above 0), the keys of ``timing``, and
the number of class centers in this process.

In a case with ``stop``, rank 1 asks for the end after that many steps, with ``signal`` by SIGTERM; the result is what was said.
"""

PROGRAM = """
import os
import signal
import numpy as np
import torch
from configs.lookup import resolve
from datamodules.datamodule import FaceDataModule
from modules.layers.synchronized_batch_norm import synchronize
from modules.network import Network
from modules.targets import TargetPart, TargetsConfig
from modules.training.checkpointing import Checkpointing
from modules.training.recognizer import Recognizer
from modules.training.stopped import Stopped
from modules.training.trainer import fit, network_weights

COUNT, SIZE = 22, 64
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)

class Crops:
    def __len__(self):
        return COUNT
    def __getitem__(self, index):
        return IMAGES[index]

def one(case, folder):
    recipe = resolve("recipe", {"name": "one_cycle", "lr": 0.1, "epochs": 2, "batch_size": case.get("batch", 5),
                                **case.get("recipe", {})})
    torch.manual_seed(0)
    head = {"name": "dense", "dimension": 8, "hidden": [], "dropout": 0, "activation": "linear"}
    backbone, head = resolve("backbone", case.get("backbone", "alexnet")), resolve("head", case.get("head", head))
    loss, classes, labels = resolve("loss", case.get("loss", "softmax")), 4, np.arange(COUNT) // 2 % 4
    if "targets" in case:  # the same classes for each, of which one image in seven is unknown
        loss = TargetsConfig(parts={name: TargetPart(loss=resolve("loss", one)) for name, one in case["targets"].items()})
        classes = dict.fromkeys(loss.names, 4)
        labels = np.where(np.arange(COUNT) % 7 == 2, np.nan, labels).astype(np.float32)[:, None].repeat(len(classes), 1)
    network = Network(backbone, head, loss, classes, size=SIZE)
    if rank and case.get("shared"):
        network.loss.share(rank.number, rank.world)
    if rank and case.get("synchronized"):
        synchronize(network)
    held = case.get("validation", 5)
    changes = resolve("augmentation", case.get("augmentation", "flip")).build()
    batches = resolve("batches", case.get("batches", "shuffled"))
    rows = range(held, COUNT), range(held)
    data = FaceDataModule(Crops(), labels, *rows, changes, recipe.part_size, 3, batches=batches,
                          identities=np.arange(COUNT) // 2 % 4)
    steps = data.steps_per_epoch // recipe.accumulate
    recognizer = Recognizer(network, recipe, seed=5, steps_per_epoch=steps, open_set=case.get("open_set", False))
    saved = []
    def save(epoch, batch, write, row):
        path = folder / f"{epoch}.ckpt"
        write(path)
        saved.append(path)
    steps_done = []
    def stop():
        steps_done.append(1)
        asked = rank is not None and rank.number == 1 and len(steps_done) == case.get("stop")
        if asked and case.get("signal"):
            os.kill(os.getpid(), signal.SIGTERM)
        return asked and not case.get("signal")
    try:
        fit(recognizer, data, rank=rank, accelerator=case.get("accelerator", "cpu"), precision=case.get("precision", "32-true"),
            threads=1, callbacks=[Checkpointing(save, stop_requested=stop)], checkpoint=case.get("checkpoint"),
            until=case.get("until"))
    except Stopped as stopped:
        return str(stopped)
    weights = network_weights(saved[-1]) if saved else None
    return recognizer.history, weights, sorted(recognizer.timing[0]), len(getattr(network.loss, "weight", ()))

result = []
for number, case in enumerate(cases):
    own = place / f"{number}-{rank.number if rank else 'alone'}"
    own.mkdir()
    result.append(one(case, own))
"""

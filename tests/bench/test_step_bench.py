"""One training step by Lightning, as every cell takes it, against a bare loop with the same arithmetic.

The same network, loss, optimizer and batches in memory, in one process, in turns. The whole time from the end of a step to the
end of the next one counts: fetching, hooks, checkpoints' and reports' questions, seeds, the check of the loss. The bar is 3 %.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BAR, ALLOWED = 1.03, 1.10
PROGRAM = """
import copy, json, statistics, sys, time
import pytorch_lightning as pl
import torch
from configs.lookup import resolve
from modules.training.checkpointing import Checkpointing
from modules.training.trainer import fit
from modules.network import Network
from modules.training.recognizer import Recognizer

name, size, batch, threads, steps, turns = sys.argv[1], *map(int, sys.argv[2:7])
torch.set_num_threads(threads)
recipe = resolve("recipe", {"name": "multi_step", "milestones": [0.999], "epochs": 1, "batch_size": batch})  # a constant rate
torch.manual_seed(0)
head = resolve("head", {"name": "gap_bn", "dropout": 0})
first = Network(resolve("backbone", name), head, resolve("loss", "softmax"), 500, size)
draw = torch.Generator().manual_seed(1)
made = [
    (torch.randn(batch, 3, size, size, generator=draw), torch.randint(500, (batch,), generator=draw), torch.arange(batch))
    for _ in range(steps)
]

class Batches:  # a bare list would be so many loaders
    def __iter__(self):
        return iter(made)
    def __len__(self):
        return len(made)

class Memory(pl.LightningDataModule):
    def start_batch(self, epoch, batch):
        pass
    def train_dataloader(self):
        return Batches()

class Clock(pl.Callback):
    def __init__(self):
        self.ends = []
    def on_train_batch_end(self, *args):
        self.ends.append((time.perf_counter(), time.process_time()))

def spans(ends):
    return [(later[0] - sooner[0], later[1] - sooner[1]) for sooner, later in zip(ends[1:], ends[2:])]

def save(epoch, batch, write, row):
    write("/dev/null")

def ours():
    network = copy.deepcopy(first)
    recognizer, clock = Recognizer(network, recipe, 0, steps_per_epoch=steps), Clock()
    watch = Checkpointing(save, minutes=10, stop_requested=lambda: False, progress=lambda *args: None)
    fit(recognizer, Memory(), threads=threads, callbacks=[watch, clock])
    return spans(clock.ends), network

def bare():
    network = copy.deepcopy(first).train()
    optimizer = recipe.optimizer_of(network.parameters())
    ends = []
    for images, labels, _ in made:
        optimizer.zero_grad()
        network.loss_of(images, labels).backward()
        optimizer.step()
        ends.append((time.perf_counter(), time.process_time()))
    return spans(ends), network

times = {"ours": [], "bare": []}
for turn in range(turns + 1):
    order = [("ours", ours), ("bare", bare)]
    for key, run in order[:: 1 if turn % 2 else -1]:
        seconds, network = run()
        if turn:  # the first turn takes memory
            times[key] += seconds
        last = {**locals().get("last", {}), key: network.state_dict()}
equal = all(torch.equal(last["ours"][key], last["bare"][key]) for key in last["bare"])
medians = {key: [statistics.median(part) for part in zip(*values)] for key, values in times.items()}
print(json.dumps({**medians, "equal": equal}))
"""


@pytest.mark.parametrize(("backbone", "batch", "threads"), [("resnet34", 16, 2), ("mobilefacenet", 32, 1)])
def test_a_step_by_lightning_costs_what_a_bare_step_costs(backbone: str, batch: int, threads: int) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, backbone, "112", str(batch), str(threads), "8", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    (ours, ours_cpu), (bare, bare_cpu) = found["ours"], found["bare"]
    wall, cpu = ours / bare, ours_cpu / bare_cpu
    print(
        f"\n{backbone}, batch {batch}, {threads} threads: {1000 * ours:.1f} ms, bare {1000 * bare:.1f} ms: {wall:.3f}; of the"
    )
    print(f"processor {1000 * ours_cpu:.1f} ms, bare {1000 * bare_cpu:.1f} ms: {cpu:.3f} (bar {BAR})")
    assert found["equal"]  # the same arithmetic, to the last bit
    assert min(wall, cpu) < ALLOWED  # on a crowded machine, the time that a step was not running is chance

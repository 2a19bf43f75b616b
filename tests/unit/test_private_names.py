"""Private names of libraries that the source uses. After an upgrade this test says which of them is gone, and who needs it."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for top in ("cluster", "configs", "datamodules", "grid", "modules") for path in (ROOT / top).rglob("*.py")]
TUNE = "ray.tune.execution.tune_controller"
LIGHTNING = "pytorch_lightning"
NAMES = {  # the place of each name: the file that needs it
    "ray._private.worker.print_to_stdstream": "grid/execution/ray_messages.py",
    "ray._private.utils.read_ray_address": "grid/execution/ray_address.py",
    "ray._private.state.available_resources_per_node": "grid/execution/ray_tune.py",
    "ray._raylet.GcsClient": "grid/execution/ray_address.py",
    "ray._raylet.Config.initialize": "grid/execution/ray_start.py",
    "ray._raylet.AuthenticationTokenLoader.reset_cache": "grid/execution/ray_start.py",
    "ray.experimental.internal_kv._internal_kv_get": "grid/execution/ray_start.py",
    f"{TUNE}.TrialRunnerWrapper._tune_controller": "grid/execution/living_nodes.py",
    f"{TUNE}.TuneController._cleanup_cached_actors": "grid/execution/living_nodes.py",
    f"{TUNE}.TuneController._staged_trials": "grid/execution/living_nodes.py",
    f"{TUNE}.TuneController._unstage_trial_with_resources": "grid/execution/living_nodes.py",
    f"{LIGHTNING}.Trainer._signal_connector": "modules/training/trainer.py",
    f"{LIGHTNING}.trainer.connectors.signal_connector._SignalConnector.received_sigterm": "modules/training/checkpointing.py",
    f"{LIGHTNING}.trainer.connectors.signal_connector._SignalConnector._sigterm_notifier_fn": "modules/training/trainer.py",
    f"{LIGHTNING}.loops.training_epoch_loop._TrainingEpochLoop._broadcast_sigterm_tensor": "modules/training/trainer.py",
    f"{LIGHTNING}.strategies.DDPStrategy._configure_launcher": "modules/training/rank_strategy.py",
    f"{LIGHTNING}.strategies.DDPStrategy._setup_model": "modules/training/rank_strategy.py",
    "torch.nn.parallel.DistributedDataParallel._ddp_params_and_buffers_to_ignore": "modules/training/rank_strategy.py",
    "torch.distributed.distributed_c10d._abort_process_group": "grid/stages/ranks.py",
    "torch.nn.modules.batchnorm._BatchNorm._check_input_dim": "modules/layers/synchronized_batch_norm.py",
    "torch.utils._python_dispatch.TorchDispatchMode": "modules/nondeterministic_operations.py",
    "torch._foreach_copy_": "modules/training/moving_average.py",
    "torch.ops.aten.add.Tensor._schema": "modules/nondeterministic_operations.py",
    "torch.autograd.function.FunctionMeta._backward_cls": "modules/attribution/excitation.py",
    "mlflow.store.db.utils._get_latest_schema_revision": "grid/tracking/database.py",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_private_name_is_there(name: str) -> None:
    module, parts = _module(name)
    found: Any = module
    for part in parts:
        if not hasattr(found, part):
            set_later = inspect.isclass(found) and any(f".{part}" in _source(one) for one in found.__mro__)
            assert set_later, f"{name} is gone: {NAMES[name]} needs it; adapt that file to the installed version"
            return
        found = getattr(found, part)


def test_every_private_name_that_the_source_uses_is_listed() -> None:
    own: set[str] = set()
    used: dict[str, str] = {}
    for path in SOURCES:
        for node in _nodes(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                own.add(node.name)
            elif isinstance(node, ast.Name):
                own.add(node.id)
            elif isinstance(node, ast.Attribute):
                if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                    own.add(node.attr)
                else:
                    used.setdefault(node.attr, str(path.relative_to(ROOT)))
            elif isinstance(node, ast.ImportFrom):
                words = [*(node.module or "").split("."), *(one.name for one in node.names)]
                used |= {word: str(path.relative_to(ROOT)) for word in words}
    listed = {part for name in NAMES for part in name.split(".")} | {"_exit"}  # the last one is in Python's documentation
    private = {name: file for name, file in used.items() if name.startswith("_") and not name.startswith("__")}
    assert len(private) > len(NAMES)
    modules = {path.stem for path in SOURCES}
    missing = {name: file for name, file in private.items() if name not in own | listed | modules}
    assert missing == {}, "list where the library has it in NAMES, or use a public name"


def _module(name: str) -> tuple[Any, list[str]]:
    """The module with most of the parts of a name, and the other parts."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            return importlib.import_module(".".join(parts[:end])), parts[end:]
        except ModuleNotFoundError:
            continue
    raise AssertionError(f"{name}: no module {parts[0]}")


def _source(one: type) -> str:
    """Empty if it is compiled."""
    try:
        return inspect.getsource(one)
    except (OSError, TypeError):
        return ""


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Those of a program, and of programs in its texts, which other processes run."""
    for node in ast.walk(tree):
        yield node
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nfrom " in node.value:
            try:
                yield from ast.walk(ast.parse(node.value))
            except SyntaxError:
                continue

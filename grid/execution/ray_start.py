"""Starts Ray on this machine or connects to a cluster; failures are explained in one line."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.lookup import known
from grid.abort import LaunchAborted
from grid.execution.ray_address import ASKS_FOR_TOKEN, NO_NODE, check_address, refusal
from grid.execution.ray_messages import one_line_each
from grid.execution.slots import Slots, room, slot_words
from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.node_cache import PLACE, node_cache_root
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch, Resources
from grid.spec.stage_kind import built_in, stage_kind
from grid.terminal import counted

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no usage statistics
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a cell that requests no GPU sees none
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",  # seconds between snapshots of all trials, which nothing reads
    "TUNE_MAX_PENDING_TRIALS_PG": "16",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # facegrid prints one line per lost process instead
    "NO_ALBUMENTATIONS_UPDATE": "1",
}

TOKEN = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")  # environment variables of Ray's token authentication
SOCKET_PATH = 107  # maximum length of a Unix socket path, in bytes
SESSION = "/session_2026-11-26_15-55-03_123456_1234567/sockets/plasma_store"  # what Ray appends to its temporary folder
SPACE = 100 << 20  # bytes required by Ray's logs and sockets


@contextlib.contextmanager
def connected(launch: Launch, scratch: Path, say: Callable[[str], None] = lambda line: None) -> Iterator[Slots]:
    """Context manager: a connection to Ray; yields the slots of units of work.

    Args:
        scratch: folder for the temporary files of workers on this machine, so that killed workers leave none behind.
        say: called with lines for the user.

    Raises:
        BadInput: Ray cannot be started or reached, or no node has the resources.
    """
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    say("starting Ray" if launch.address is None else f"connecting to Ray at {launch.address}")
    if launch.address is not None:
        check_address(launch.address)
    with _authenticated(launch.address) as answered, one_line_each(say):
        import ray

        on_term = signal.getsignal(signal.SIGTERM)
        try:
            _connect(launch, scratch, answered)
            signal.signal(signal.SIGTERM, on_term)  # ray.init installs a handler that terminates the process immediately
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            if launch.address is not None:
                for line in joined_lines(ray.get_runtime_context().gcs_address, nodes, _cluster_metadata()):
                    say(line)
            resources = reserved(launch.resources, nodes)
            _check_resources("launch.resources", resources, nodes)
            say(resource_words(resources, None if launch.address is None else len(nodes)))
            yield Slots(resources, nodes, of_kinds(launch, resources, nodes), launch.measured)
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _authenticated(address: str | None) -> Iterator[bool]:
    """Sets up Ray's token authentication, unless the user has configured it; yields whether the cluster has answered.

    Since version 2.60, Ray creates a token when it starts a local cluster and writes it to the home folder. From then on
    clusters require it, but a driver that is given an address does not send it. Therefore a local Ray gets a separate token
    that is not stored, and a driver with an address sends the existing token if the cluster asks for one. A driver that sets
    a token without need would reject the calls of the cluster's own processes, which send none, and lose its actors.
    """
    more: dict[str, str] = {}
    answered = False
    there = bool(os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")) or _token_file().is_file()
    if "RAY_AUTH_MODE" not in os.environ:
        if address is None:
            more = {"RAY_AUTH_MODE": "token", **({} if there else {"RAY_AUTH_TOKEN": secrets.token_hex(32)})}
        elif there:
            why = refusal(address, RAY_AUTH_MODE="disabled")
            more = {"RAY_AUTH_MODE": "token"} if why == ASKS_FOR_TOKEN else {}
            if why not in (None, ASKS_FOR_TOKEN):
                raise BadInput(f"launch.address {address!r}: {why}")
            answered = why is None
    before = {key: os.environ.get(key) for key in TOKEN}
    os.environ.update(more)
    _reread_token()
    try:
        yield answered
    finally:
        for key, value in before.items():  # ray.init sets the mode, too
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        _reread_token()


def _reread_token() -> None:
    """Ray reads mode and token once per process; an earlier connection of this process may have had others."""
    if "ray._raylet" in sys.modules:
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()


def _token_file() -> Path:
    return Path(os.path.expanduser("~")) / ".ray" / "auth_token"


def _connect(launch: Launch, scratch: Path, answered: bool = False) -> None:
    import logging

    import ray

    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    variables = {key: value for key, value in QUIET.items() if not key.startswith("TUNE")}
    if launch.address is None:
        variables |= {"TMPDIR": str(scratch), PLACE: node_cache_root()}  # that cache outlives the launch
    environment = {
        "env_vars": variables,
        "worker_process_setup_hook": "facegrid.pin_packages",  # Ray puts the driver's current folder first on the path
    }
    if launch.address is None:
        _start(runtime_env=environment, **temporary_folder(), **settings)
        return
    from cluster.shipping import working_dir

    if not answered and (why := refusal(launch.address)):
        raise BadInput(f"launch.address {launch.address!r}: {why}")
    try:
        ray.init(address=launch.address, runtime_env={**environment, **working_dir(scratch)}, **settings)
    except LaunchAborted:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # also where the cluster has another version of Ray or Python
        words = NO_NODE if "No node info found" in str(error) else f"Ray cannot connect to it ({' '.join(str(error).split())})"
        raise BadInput(f"launch.address {launch.address!r}: {words}") from error


def temporary_folder() -> dict[str, str]:
    """Ray's setting for the first usable temporary folder; empty if Ray's default is usable.

    Raises:
        BadInput: none is usable: the path is too long, not writable, or its disk is full.
    """
    default = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    problems = []
    for base in dict.fromkeys((default, tempfile.gettempdir(), "/tmp")):
        folder = Path(base).absolute() / "ray"
        if folder.is_dir() and not os.access(folder, os.W_OK):
            folder = folder.with_name(f"ray-{os.getuid()}")  # it belongs to another user
        if why := _unusable(folder):
            problems.append(f"{base}: {why}")
            continue
        return {} if folder == Path(default) / "ray" else {"_temp_dir": str(folder)}
    raise BadInput(f"Ray needs a temporary folder ({'; '.join(problems)}); set TMPDIR to a short path with 100 MiB free")


def _unusable(folder: Path) -> str | None:
    longest = len(os.fsencode(f"{folder}{SESSION}"))
    if longest > SOCKET_PATH:
        return f"its path is {longest - SOCKET_PATH} bytes too long for Ray's sockets"
    try:
        with tempfile.TemporaryFile(dir=folder if folder.is_dir() else folder.parent) as file:
            file.write(bytes(1 << 16))
            file.flush()
        free = shutil.disk_usage(folder.parent).free
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return f"{free >> 20} MiB free" if free < SPACE else None


def _start(**settings: Any) -> None:
    """Starts Ray on this machine, with two tries.

    Ray gives its own processes 30 s to start, which may be too short on a busy machine.
    """
    import ray

    for again in (True, False):
        try:
            ray.init(address="local", include_dashboard=False, **settings)
            return
        except OSError as error:
            if error.filename is None or os.path.dirname(_token_file()) not in str(error.filename):
                raise
            raise BadInput(
                f"Ray cannot write its token to {_token_file()} ({error.strerror}); set RAY_AUTH_TOKEN to a secret, "
                "RAY_AUTH_MODE=disabled, or HOME to a folder that can be written"
            ) from error
        except Exception as error:  # Ray raises no specific exception for this
            if "timed out during startup" not in str(error):
                raise
            ray.shutdown()
            if not again:
                raise BadInput("Ray did not start on this machine within 30 s, twice: too much else runs here") from error


def reserved(wanted: Resources, nodes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The resources that Ray reserves for one unit of work; of what is measured, those that it has without a measurement.

    Args:
        nodes: the resources of each node
    """
    gpus = wanted.gpus
    if gpus in ("auto", "measured"):
        gpus = 1 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0
    found: dict[str, float] = {"CPU": wanted.cpus}
    if gpus:
        found["GPU"] = float(gpus)
    if isinstance(wanted.memory_gib, float):
        found["memory"] = wanted.memory_gib * 2**30
    return {**found, **wanted.custom}


def of_kinds(
    launch: Launch, resources: Mapping[str, float], nodes: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """What kinds of stages reserve where it differs from ``resources``: no GPU if they have no use for one."""
    kinds = {name: stage_kind(name) for name in (*(kind.name for kind in built_in()), *known("stage"))}
    without = {name: value for name, value in resources.items() if name != "GPU"}
    found = {name: without for name, kind in kinds.items() if not kind.device}
    for kind in launch.stage_resources:
        found[kind] = reserved(launch.resources_of(kind), nodes)
        _check_resources(f"launch.stage_resources.{kind}", found[kind], nodes)
    return found


def resource_words(resources: Mapping[str, float], nodes: int | None) -> str:
    """For example: ``Ray on 2 nodes: each unit of work has 1 CPU and 1 GPU``; None: on this machine."""
    where = "this machine" if nodes is None else counted(nodes, "node")
    return f"Ray on {where}: each unit of work has {slot_words(resources)}{'' if 'GPU' in resources else ' and no GPU'}"


def joined_lines(address: str, nodes: Sequence[Mapping[str, float]], about: Mapping[str, Any]) -> list[str]:
    """Which cluster was joined, for an address such as ``auto``, and warnings about it.

    Args:
        nodes: the resources of each node
        about: as Ray keeps it: ``ray_version``, ``python_version``, ``ray_init_cluster``; empty if unknown
    """
    there = {name: sum(node.get(name, 0.0) for node in nodes) for name in (CPU, GPU)}
    own = _own_versions()
    theirs = {name: str(about[f"{name.lower()}_version"]) for name in own if f"{name.lower()}_version" in about}
    words = ", ".join(f"{name} {version}" for name, version in theirs.items())
    found = [f"joined Ray at {address}: {counted(len(nodes), 'node')} with {slot_words(there)}{'; ' if words else ''}{words}"]
    if not theirs.items() <= own.items():
        mine = " and ".join(f"{name} {version}" for name, version in own.items())
        found.append(f"warning: this process has {mine}; use the versions of the cluster, since its processes may fail")
    if about.get("ray_init_cluster"):
        found.append(
            "warning: another program has started this cluster for itself, and ends it when it ends; without --address, a "
            "launch starts a Ray of its own"
        )
    return found


def _own_versions() -> dict[str, str]:
    import ray

    return {"Ray": ray.__version__, "Python": platform.python_version()}


def _cluster_metadata() -> dict[str, Any]:
    """What Ray keeps about the cluster to which this process is connected; empty if it keeps nothing."""
    from ray.experimental.internal_kv import _internal_kv_get

    found = _internal_kv_get(b"CLUSTER_METADATA", namespace=b"cluster")
    return dict(json.loads(found)) if found else {}


def _check_resources(key: str, wanted: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> None:
    if not room(wanted, nodes):
        have = _node_words(wanted, nodes)
        raise BadInput(f"{key}: no node has {slot_words(wanted)} (there are {have}); lower the resources or add a node")


def _node_words(wanted: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> str:
    """What the nodes have of the wanted resources."""
    alike = Counter(slot_words({name: node.get(name, 0) for name in wanted}) for node in nodes)
    return "; ".join(f"{counted(number, 'node')} with {words}" for words, number in alike.items()) or "no nodes"


def check_room(slots: Slots, together: Iterable[tuple[Sequence[str], int]], launch: Launch) -> None:
    """Checks that each unit of work can be placed on the nodes; Ray itself would wait forever.

    Each kind of stage alone fits on a node; several in one unit of work may not, and slots for several devices may not.

    Args:
        together: the kinds of the stages of a unit of work, and how many slots for them it needs at once

    Raises:
        BadInput: the nodes have no room for one of them.
    """
    for kinds, devices in together:
        wanted = {name: amount for name, amount in slots.suited(kinds).items() if amount}
        if (count := room(wanted, slots.nodes)) >= devices:
            continue
        what, names = f"{slot_words(wanted)} (there are {_node_words(wanted, slots.nodes)})", ", ".join(kinds)
        if devices == 1:
            raise BadInput(
                f"launch.stage_resources: {names} run in one process, and no node has what they need together: {what}; "
                "lower the resources, or add a node that has all of them"
            )
        raise BadInput(
            f"{launch.said_devices(devices)}, and the nodes together have room for {count} times {what}, which {names} need "
            "for each; lower launch.resources, launch.stage_resources or the number of devices, or add nodes"
        )


def check_whole_gpus(launch: Launch, usable: int, kinds: Iterable[str]) -> None:
    """Raises BadInput if a training of these kinds, on ``usable`` devices, would have a part of a GPU for each."""
    for kind in sorted(kind for kind in kinds if stage_kind(kind).epochs):
        gpus = launch.resources_of(kind).gpus
        if usable > 1 and isinstance(gpus, float) and 0 < gpus < 1:
            own = kind in launch.stage_resources and launch.stage_resources[kind].gpus is not None
            key, about = (f"stage_resources.{kind}", "") if own else ("resources", f" for {kind}")
            raise BadInput(
                f"{launch.said_devices(usable)}, and launch.{key}.gpus is {gpus:g}{about}: each device is a whole GPU; set it "
                "to 1, or to 0 for the CPU"
            )

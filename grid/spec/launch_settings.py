"""The section ``launch`` of a grid file: how and where the grid runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, Field

from configs.component import Config
from grid.spec.cluster_shape import checked_shape
from grid.spec.prices import Prices


def _whole(gpus: Any) -> Any:
    """Raises ValueError for parts of several GPUs, with which Ray fails only when it starts a process."""
    if isinstance(gpus, float | int) and gpus > 1 and not float(gpus).is_integer():
        raise ValueError(f"{gpus!r} is neither a part of one GPU nor a whole number of them")
    return gpus


def _reservable(amount: Any) -> Any:
    """Raises ValueError for less than Ray's smallest part of a resource."""
    if isinstance(amount, float) and 0 < amount < SMALLEST:
        raise ValueError(f"{amount:g} is less than {SMALLEST:g}, the smallest part of a resource that Ray knows")
    return amount


def _custom(amounts: dict[str, float]) -> dict[str, float]:
    """Raises ValueError for resources that have a key of their own, whose value would be replaced."""
    for name in amounts:
        if name in OWN_KEY:
            raise ValueError(f"{name} is no custom resource; {OWN_KEY[name]}")
    return amounts


SMALLEST = 0.0001
OWN_KEY = {
    "CPU": "use the key cpus beside custom",
    "GPU": "use the key gpus beside custom",
    "memory": "use the key memory_gib beside custom",
    "object_store_memory": "Ray does not reserve it, so leave it out",
}
# auto: 1 if there are GPUs (as in `debug`), else 0
Gpus = Annotated[
    Annotated[float, Field(ge=0)] | Literal["auto", "measured"], BeforeValidator(_whole), AfterValidator(_reservable)
]
Memory = Annotated[Annotated[float, Field(gt=0)] | Literal["measured"], AfterValidator(_reservable)]
Cpus = Annotated[float, Field(gt=0), AfterValidator(_reservable)]
Custom = Annotated[dict[str, Annotated[float, Field(ge=0), AfterValidator(_reservable)]], AfterValidator(_custom)]


class Resources(Config):
    """The resources that Ray reserves for one cell; those ``measured`` are what the first steps of its training took."""

    cpus: Cpus = 1
    gpus: Gpus = "auto"
    memory_gib: Memory | None = None
    # other resources of Ray's nodes, such as accelerator_type:H100: 0.01
    custom: Custom = Field(default_factory=dict)


MEASURED = ("train", "pretrain", "trial")  # kinds of stages that are measured; others of the same unit of work take as much


class StageResources(Config):
    """The resources of one kind of stage; what is None is that of ``launch.resources``."""

    cpus: Cpus | None = None
    gpus: Gpus | None = None
    memory_gib: Memory | None = None
    custom: Custom | None = None


class AtLeast(Config):
    """As many devices as a cell says, or fewer where there is no room for them, but not fewer than that."""

    at_least: int


def _devices(value: Any) -> Any:
    """Raises ValueError unless it is a setting of ``Launch.devices``; pydantic would name only some of them."""
    number = value.get("at_least") if isinstance(value, Mapping) and value.keys() == {"at_least"} else value
    if value in (None, "auto") or isinstance(value, AtLeast) or (type(number) is int and number >= 1):
        return value
    raise ValueError(f"{value!r} is none of: a number of devices from 1 on, auto, {{at_least: a number from 1 on}}")


def _place(value: Any) -> Any:
    """A path, or the URL of a store that is no folder. Raises ValueError for a URL that would not mean what it says."""
    if isinstance(value, str) and re.match(r"(s3|gs|az|file|memory):(?!//)", value):
        scheme, _, rest = value.partition(":")
        raise ValueError(
            f"{value!r} lacks a slash; write {scheme}://{rest.lstrip('/')}, or ./{value} for a folder of that name"
        )
    scheme, slashes, rest = value.partition("://") if isinstance(value, str) else ("", "", "")
    if scheme in ("s3", "gs", "az", "file") and (mark := re.search(r"[?#]", rest)):
        raise ValueError(f"the URL has a {mark[0]!r}, and what follows would be ignored; leave it out")
    if scheme in ("s3", "gs", "az"):
        return _bucket(scheme, rest)
    if scheme == "file":
        if not rest.startswith("/") or not rest.strip("/"):
            raise ValueError(f"{value!r} names no folder; write file:/// and its absolute path, or the path alone")
        return Path(unquote(rest))
    return Path(value) if isinstance(value, str) and not slashes else value


def _bucket(scheme: str, rest: str) -> str:
    """The URL of a bucket without slashes at its end. Raises ValueError where obstore would read another place.

    The URL is not in the message, because it may have a password.
    """
    bucket, _, prefix = rest.rstrip("/").partition("/")
    if not re.fullmatch(r"[\w.-]*\w[\w.-]*", bucket):
        raise ValueError(
            f"after {scheme}:// comes the name of a bucket alone; write {scheme}://bucket/prefix, without a user, password or "
            "port: credentials and AWS_ENDPOINT_URL come from the environment"
        )
    if prefix and any(part in ("", ".", "..") for part in unquote(prefix).split("/")):
        raise ValueError(f"the prefix {prefix!r} has an empty part, '.' or '..'; write it as it is to be in the bucket")
    return f"{scheme}://{bucket}/{prefix}".rstrip("/")


StorePlace = Annotated[Path | str | None, BeforeValidator(_place)]


class Launch(Config):
    """How and where a grid runs; never part of a cell's identity."""

    study: Path | None = None  # default: studies/<grid name>
    store: StorePlace = None  # folder or URL of the ledger; default: <study>/store; studies with the same store share stages
    tracking: str | None = None  # MLflow tracking URI; default: SQLite next to a study on a local disk
    executor: str = "ray"  # ray, local (sequentially in this process), or the dotted path of the user's own class
    address: str | None = None  # of a Ray cluster; default: this machine only
    resources: Resources = Resources()
    stage_resources: dict[str, StageResources] = Field(default_factory=dict)  # kind of stage -> what differs for it
    # for cells with compute.devices above 1, instead of that number; auto: up to that number, as many as there is room for
    devices: Annotated[int | Literal["auto"] | AtLeast | None, BeforeValidator(_devices)] = None
    concurrency: int | None = Field(None, ge=1)  # nodes at once; default: as many as resources allow
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"  # loader processes per cell; auto: measured on GPUs, else 0
    retries: int = Field(3, ge=0, le=3)  # after the loss of a process; that of a node, or by SIGTERM, does not count
    crop_cache_gib: float = Field(8.0, ge=0)
    checkpoint_minutes: float = Field(10.0, gt=0)  # in addition to one checkpoint per epoch
    claims: Path | None = None  # file of claims that the report judges; docs/claims.md
    detect_images: int = Field(4096, ge=1)  # larger detections are split into shards of this size, shared by all nodes
    notify: str | None = None  # a command that runs when a launch ends, with JSON on its standard input
    cluster: Annotated[str, AfterValidator(checked_shape)] | None = None  # its shape, for ``plan``: 4x8:H100/64
    prices: Prices = Prices()

    @property
    def ranks(self) -> int | None:
        """Devices of a training with several, instead of those that its cell says; None: as many as it says."""
        return self.devices if isinstance(self.devices, int) else None

    @property
    def devices_words(self) -> str:
        """``devices`` as a grid file has it."""
        return f"{{at_least: {self.devices.at_least}}}" if isinstance(self.devices, AtLeast) else str(self.devices)

    def said_devices(self, of_cell: int) -> str:
        """The setting that asks for several devices: ``launch.devices is auto``, or ``compute.devices is 2``."""
        return f"compute.devices is {of_cell}" if self.devices is None else f"launch.devices is {self.devices_words}"

    @property
    def fewest_devices(self) -> int | None:
        """Devices that such a training can do with where there is no room for all; None: it needs all."""
        if self.devices == "auto":
            return 1
        return self.devices.at_least if isinstance(self.devices, AtLeast) else None

    def resources_of(self, kind: str) -> Resources:
        """The resources of a kind of stage."""
        own = self.stage_resources.get(kind, StageResources())
        return self.resources.model_copy(update={key: value for key, value in own if value is not None})

    def measured(self, kind: str) -> frozenset[str]:
        """The resources of a kind of stage that are measured: of "GPU" and "memory"."""
        found = self.resources_of(kind)
        asked = {"GPU": found.gpus, "memory": found.memory_gib}
        return frozenset(name for name, amount in asked.items() if amount == "measured")

    @property
    def measures(self) -> bool:
        """Whether a training has a resource that is measured."""
        return any(self.measured(kind) for kind in MEASURED)

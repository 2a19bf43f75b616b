"""The configuration of a training: everything that determines a trained network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from configs.component import Born, Config
from configs.data_interfaces import Column
from configs.lookup import component, nearest
from configs.network_interfaces import TrainedPretrainingConfig


class Split(Config):
    """Which images of a training dataset are held out for validation.

    ``by: images`` holds out a fraction of each identity's images, so validation is classification among the training
    identities. ``by: identities`` holds out a fraction of the identities with all their images: they have no class, so
    validation is verification of unseen subjects (see ``modules.training.recognizer``). ``by: official`` holds out the images
    of the dataset's published validation split; ``fraction`` and ``seed`` are not used. ``fraction: 0`` trains on every image.
    ``share`` leaves out training images and no validation image, so cells that differ in it are validated on the same images.
    """

    fraction: float = Field(0.1, ge=0, lt=1)
    seed: int = 0
    by: Annotated[Literal["images", "identities", "families", "official"], Born("images")] = "images"
    near: Annotated[int, Born(4), Field(ge=0, le=15)] = 4  # of families: bits by which the hashes of near duplicates differ
    share: Annotated[float, Born(1.0), Field(gt=0, le=1)] = 1.0  # fraction of each identity's training images that is used


class Input(Config):
    """The network's input: RGB in [-1, 1], ``size`` pixels high and ``width`` pixels wide; square if ``width`` is None."""

    size: int = Field(160, ge=32)
    width: Annotated[int | None, Born(None), Field(ge=32)] = None

    @property
    def pixels(self) -> int | tuple[int, int]:
        """The side of a square, or height and width."""
        return self.size if self.width in (None, self.size) else (self.size, self.width)


class Compute(Config):
    """The compute settings that affect numerical results.

    On several devices, ``classes: shared`` divides the class weights of a margin loss between them, see
    ``modules.layers.shared_classes``, and ``batch_norm: synchronized`` computes the statistics of batch normalizations over the
    images of all devices, see ``modules.layers.synchronized_batch_norm``. Both give the numbers of one device up to rounding,
    and have no effect on one device.
    """

    threads: int = Field(1, ge=1)  # per process; one ResNet-34 step differs between 1 and 2
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    compile: Annotated[bool, Born(False)] = False  # torch.compile for the backbone; changes the last digits
    devices: int = Field(1, ge=1)  # that share each batch; normalization and dropout act on each one's part
    classes: Annotated[Literal["copied", "shared"], Born("copied")] = "copied"  # class weights on several devices
    batch_norm: Annotated[Literal["local", "synchronized"], Born("local")] = "local"  # statistics on several devices
    tf32: Annotated[bool, Born(False)] = False  # on GPUs, factors of float32 convolutions and products have 10 bits of mantissa
    deterministic: Annotated[bool | Literal["warn"], Born(True)] = True  # training: other operations are errors; warn: warnings

    @model_validator(mode="after")
    def _combine(self) -> Self:
        if self.devices > 1 and self.compile:
            raise ValueError(f"compute.compile works on one device, and compute.devices is {self.devices}; leave one out")
        if self.devices > 1 and self.classes == "shared" and self.precision == "16-mixed":
            raise ValueError(
                "compute.classes: shared: an overflow of float16 would be seen by one device only; use compute.precision "
                "bf16-mixed or 32-true"
            )
        return self


class Reconstruction(Config):
    """Image reconstruction from the feature map, trained along with recognition (Xu et al., 2023, equation 2).

    The decoder has a separate optimizer, Adam as in Section IV; its gradient also reaches the backbone. The paper does not
    state ``weight`` (lambda). With ``recipe.trainable: decoder``, only the decoder is trained, by the recipe, on a frozen
    network; ``weight``, ``lr`` and ``betas`` are then unused.
    """

    decoder: component("decoder") = Field(default_factory=lambda: {"name": "transposed"})  # type: ignore[valid-type]
    weight: float = Field(1.0, ge=0)
    lr: float = Field(2e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)


class Target(Config):
    """How one column of the dataset is learned, see ``modules.targets``.

    ``loss`` is None to use the training's loss; a numeric column needs a loss that predicts numbers, such as ``regression``.
    ``head`` is None if the target shares the training's head. ``weight`` multiplies its loss in the sum over all targets.
    ``column`` is the name of the column if it is not that of the target, so one column may have several targets. ``edges``
    divides a column of numbers into classes, and ``merge`` combines classes: see ``datamodules.columns``.
    """

    loss: component("loss") | None = None  # type: ignore[valid-type]
    head: component("head") | None = None  # type: ignore[valid-type]
    weight: float = Field(1.0, gt=0)
    column: Annotated[str | None, Born(None)] = None
    edges: Annotated[tuple[float, ...] | None, Born(None)] = None
    merge: Annotated[dict[str, tuple[str, ...]] | None, Born(None)] = None

    @model_validator(mode="after")
    def _classes(self) -> Self:
        edges = self.edges
        if edges is not None and (len(edges) < 2 or any(low >= high for low, high in pairwise(edges))):
            raise ValueError(f"edges are two or more numbers in ascending order, found {list(edges)}")
        if self.merge is not None and (empty := [name for name, members in self.merge.items() if not members]):
            raise ValueError(f"merge.{empty[0]} lists no class; list the classes that it combines")
        return self

    def learned(self, name: str, columns: Mapping[str, Column]) -> Column:
        """The labels that the target ``name`` learns, from the columns of the dataset.

        Raises:
            ValueError: there is no such column, or ``edges`` or ``merge`` does not fit it.
        """
        source = self.column or name
        if source not in columns:
            raise ValueError(f"there is no column {source!r}{nearest(source, columns)}")
        found = columns[source]
        if self.edges is not None:
            found = found.binned(self.edges)
        return found if self.merge is None else found.merged(self.merge)

    def evaluated(self, name: str, columns: Mapping[str, Column], classes: Sequence[str] | None) -> Column:
        """The labels of the target ``name`` on a dataset that may be another one than that of the training.

        Its column must be of the same kind. ``merge`` is applied only if it has classes that the network does not predict:
        then a network that learned merged classes can be evaluated on a dataset that has only those.

        Args:
            classes: that the network predicts; None if it predicts numbers

        Raises:
            ValueError: as ``learned``, or the column is of the other kind.
        """
        source = columns.get(self.column or name)
        if self.merge is None or source is None or set(source.classes or ()) <= set(classes or ()):
            found = self.model_copy(update={"merge": None}).learned(name, columns)
        else:
            found = self.learned(name, columns)
        if (found.classes is None) != (classes is None):
            raise ValueError(f"the column of target {name!r} has {'numbers' if found.classes is None else 'classes'}")
        return found


IDENTITY = "identity"  # the target that every dataset has


def _named(value: Any) -> Any:
    """``age``, ``[age, gender]`` and ``{age: }`` are short for mappings of names to settings."""
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        if twice := [name for place, name in enumerate(value) if name in value[:place]]:
            raise ValueError(f"target {twice[0]!r} stands twice")
        return {name: {} for name in value}
    if isinstance(value, dict):
        return {name: {} if settings is None else settings for name, settings in value.items()}
    return value


class Training(Config):
    """Everything that determines a trained network.

    ``targets`` are the columns of the dataset to learn, by name; if empty, only the identity is learned. Their losses are
    summed with fixed weights, or with weights that are learned by ``target_weighting: uncertainty`` (see ``modules.targets``).
    """

    data: component("data")  # type: ignore[valid-type]
    split: Split = Split()
    detector: component("detector") = Field(default_factory=lambda: {"name": "none"})  # type: ignore[valid-type]
    input: Input = Input()
    augmentation: component("augmentation") = Field(default_factory=lambda: {"name": "none"})  # type: ignore[valid-type]
    backbone: component("backbone")  # type: ignore[valid-type]
    head: component("head") = Field(default_factory=lambda: {"name": "gap_bn"})  # type: ignore[valid-type]
    loss: component("loss") = Field(default_factory=lambda: {"name": "softmax"})  # type: ignore[valid-type]
    pretraining: component("pretraining") = Field(default_factory=lambda: {"name": "none"})  # type: ignore[valid-type]
    recipe: component("recipe") = Field(default_factory=lambda: {"name": "plateau"})  # type: ignore[valid-type]
    batches: component("batches") = Field(default_factory=lambda: {"name": "shuffled"})  # type: ignore[valid-type]
    reconstruction: Reconstruction | None = None
    compute: Compute = Compute()
    targets: Annotated[dict[str, Target], BeforeValidator(_named), Born({})] = Field(default_factory=dict)
    target_weighting: Annotated[Literal["fixed", "uncertainty"], Born("fixed")] = "fixed"
    seed: int = 0

    @field_validator("targets")
    @classmethod
    def _plain_names(cls, value: dict[str, Target]) -> dict[str, Target]:
        for name in value:
            if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(f"target {name!r}: the name of a column is letters, digits and underscores")
        return {} if value == {IDENTITY: Target()} else value

    @property
    def losses(self) -> list[Any]:
        """The loss of each target."""
        return [target.loss or self.loss for target in self.targets.values()] or [self.loss]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.check_together()
        return self

    def check_together(self) -> None:
        """Raises ValueError if settings contradict each other."""
        if not self.targets and self.loss.predicts == "number":
            raise ValueError(
                f"loss {self.loss.name} predicts numbers, and an identity is none; set targets to a column of numbers"
            )
        self._check_targets()
        if self.recipe.decodes_only:
            self._decodes()
        elif (
            self.recipe.trains and not self.batches.pairs and (paired := [one for one in self.losses if "pairs" in one.needs()])
        ):
            raise ValueError(
                f"loss {paired[0].name} needs two images of an identity in every batch, which batches {self.batches.name} does "
                "not promise; set batches: {name: pk, images: 4}"
            )
        if not self.recipe.trains:
            if self.pretraining.name == "none":
                raise ValueError("recipe none trains nothing, so the network must come from somewhere: set pretraining")
            if self.reconstruction is not None:
                raise ValueError("recipe none trains nothing, so no decoder can learn to reconstruct; leave reconstruction out")
            return
        if self.backbone.finished and self.classifies:
            raise ValueError(f"backbone {self.backbone.name} is evaluated and cannot be trained; set recipe: none")
        self.batches.check(self.recipe.part_size)
        self.check_devices()
        if self.compute.classes == "shared" and (self.targets or not self.loss.shares_classes):
            found = "several targets have several losses" if self.targets else f"loss {self.loss.name} is none of those"
            raise ValueError(
                f"compute.classes: shared divides the classes of one margin loss, such as arcface or cosface, and {found}; "
                "leave compute.classes out"
            )

    def check_devices(self) -> None:
        """Raises ValueError if a batch has fewer images than there are devices."""
        if self.recipe.trains and self.recipe.part_size < self.compute.devices:
            raise ValueError(
                f"compute.devices: {self.compute.devices} devices cannot share {self.recipe.part_size} images "
                "(recipe.batch_size, or the part of it that recipe.accumulate leaves); raise recipe.batch_size"
            )

    def _check_targets(self) -> None:
        """Raises ValueError if the settings of the targets contradict each other."""
        if self.split.by == "families" and (not self.targets or IDENTITY in self.targets):
            raise ValueError(
                "split.by: families keeps all images of a subject on one side, so their identity cannot be learned; set "
                "targets without the identity, or use split.by: identities"
            )
        own = self.targets.get(IDENTITY)
        if own is not None and (own.column or own.edges or own.merge):
            raise ValueError("targets.identity: the identity is no column, so it has no column, edges or merge")
        if self.target_weighting == "fixed":
            return
        if len(self.targets) < 2:
            raise ValueError("target_weighting: uncertainty weighs several targets against each other; set two targets or more")
        if weighted := [name for name, target in self.targets.items() if target.weight != 1]:
            raise ValueError(
                f"targets.{weighted[0]}.weight is {self.targets[weighted[0]].weight:g}, and target_weighting: uncertainty "
                "learns the weights; leave it out"
            )

    @property
    def classifies(self) -> bool:
        """Whether a classifier is trained; the loss may still have none."""
        return self.recipe.trains and not self.recipe.decodes_only

    def _decodes(self) -> None:
        """Raises ValueError if a decoder cannot be trained on a frozen network."""
        if self.reconstruction is None:
            raise ValueError("recipe.trainable is decoder, and there is none; add reconstruction: {decoder: transposed}")
        if self.pretraining.name == "none":
            raise ValueError("recipe.trainable is decoder, so the network must come from somewhere: set pretraining")
        if isinstance(self.pretraining, TrainedPretrainingConfig) and self.pretraining.recipe is None:
            raise ValueError(
                "recipe.trainable is decoder, so pretraining source needs a recipe of its own: set pretraining.recipe"
            )
        plain = Reconstruction(decoder=self.reconstruction.decoder)  # by value: a worker gets every field written out
        if idle := [key for key in ("weight", "lr", "betas") if getattr(self.reconstruction, key) != getattr(plain, key)]:
            raise ValueError(
                f"reconstruction.{idle[0]} belongs to a decoder that learns beside recognition; with recipe.trainable: decoder "
                "the recipe moves it: leave it out"
            )

    def by_value(self) -> dict[str, Any]:
        """The part of a training's identity given by its own fields; images and weights are added by content."""
        found = {key: getattr(self, key).identity() for key in _BY_VALUE}
        if self.batches.name != "shuffled":  # both fields were added later: defaults must not change an id
            found["batches"] = self.batches.identity()
        if self.reconstruction is not None:
            found["reconstruction"] = self.reconstruction.identity()
        if self.targets:  # with several targets, each target's loss and the content of its column matter
            found["targets"] = {
                name: {**target.identity(), "loss": (target.loss or self.loss).identity()}
                for name, target in self.targets.items()
            }
            del found["loss"]
        if self.target_weighting != "fixed":
            found["target_weighting"] = self.target_weighting
        return found


_BY_VALUE = ("split", "detector", "input", "augmentation", "backbone", "head", "loss", "recipe", "compute")
